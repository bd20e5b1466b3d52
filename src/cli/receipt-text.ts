import type { Receipt } from '#domain/receipt.ts'
import { verdict } from '#views/receipt.ts'
import { columns, instant } from './text.ts'

/** A receipt for a terminal: the verdict, what the key was for, what it did. */
export function receiptText(receipt: Receipt): string {
  const { job, activations, usage } = receipt
  const facts: (readonly [string, string | number | null])[] = [
    ['key', receipt.key_id],
    ['policy', receipt.policy],
    ['providers', receipt.providers.join(', ')],
    ['repository', `${job.repository} (${job.repository_id})`],
    ['run', `${job.run_id}, attempt ${job.run_attempt}`],
    ['check run', job.check_run_id],
    ['event', job.event_name],
    ['ref', job.ref],
    ['minted', instant(receipt.minted_at)],
    ['expires', instant(receipt.expires_at)],
    ['first used', at(receipt.first_used_at)],
    ['last used', at(receipt.last_used_at)],
    ['ended', at(receipt.ended_at)],
    ['ended by', receipt.end_reason],
    ['given back', activations.given_back || null],
    ...receipt.routes.map((row) => ['used', `${row.activations} × ${row.provider} ${row.route}`] as const),
    ...Object.entries(receipt.models).map(([model, times]) => ['model', `${times} × ${model}`] as const),
    ...Object.entries(activations.refused).map(([code, times]) => ['refused', `${times} × ${code}`] as const),
    ['tokens in', usage.input_tokens],
    ['tokens out', usage.output_tokens],
    ['audit', `${receipt.audit.events} events, the last ${receipt.audit.head}`],
  ]
  const said = facts.filter(([, value]) => value !== null).map(([name, value]) => [`  ${name}`, String(value)])
  return `${verdict(receipt)}\n${columns(said)}`
}

function at(time: number | null): string | null {
  return time === null ? null : instant(time)
}
