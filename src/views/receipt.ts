import type { EndReason } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { Receipt } from '#domain/receipt.ts'
import { catalogue } from '#domain/refusal.ts'
import { code, cut, table } from './markdown.ts'

export interface ReceiptOptions {
  /** The receipt as a compact JWS, to be kept with what it shows. Left out when it is longer than 16 KiB. */
  readonly jws?: string
}

/**
 * A receipt for people: GitHub Markdown for the job summary, below 64 KiB whatever the receipt holds. The verdict comes
 * first; what was refused stands open, the rest is folded. Values are shown as code and cannot be anything else.
 */
export function receiptMarkdown(receipt: Receipt, options: ReceiptOptions = {}): string {
  const parts = [
    `### Till: ${verdict(receipt)}`,
    ...overview(receipt),
    ...refusals(receipt),
    ...details(receipt, options),
  ]
  return `${parts.join('\n\n')}\n`
}

/** Such as `5 of 5 activations used · 0 refused · key revoked 14:03 UTC`. */
export function verdict(receipt: Receipt): string {
  const { limit, used, refused } = receipt.activations
  const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0)
  return [`${count(used)} of ${count(limit)} activations used`, `${count(refusals)} refused`, ending(receipt)].join(
    ' · ',
  )
}

/** How a key came to its end, as one goes on after `key`. */
const ENDINGS: Readonly<Record<EndReason, string>> = {
  revoked_by_job: 'revoked',
  revoked_by_operator: 'revoked by an operator',
  job_completed: 'ended with the job',
  expired: 'expired',
  idle: 'ended for idleness',
  exhausted: 'spent and closed',
  reissued: 'replaced',
}

/** How a key stands: `key revoked 14:03 UTC`. */
export function ending({
  ended_at,
  end_reason,
  expires_at,
}: Pick<Receipt, 'ended_at' | 'end_reason' | 'expires_at'>): string {
  if (ended_at === null) return `key still alive, until ${clockTime(expires_at)} at the latest`
  return `key ${end_reason === null ? 'ended' : ENDINGS[end_reason]} ${clockTime(ended_at)}`
}

function overview(receipt: Receipt): string[] {
  const { usage, activations } = receipt
  const cells: [string, string][] = [
    ['Key', code(receipt.key_id)],
    ['Policy', code(receipt.policy)],
    ['Providers', listed(receipt.providers)],
    ['Models', listed(Object.keys(receipt.models))],
  ]
  if (usage.input_tokens !== null || usage.output_tokens !== null)
    cells.push(['Tokens', `${count(usage.input_tokens ?? 0)} in, ${count(usage.output_tokens ?? 0)} out`])
  if (activations.given_back > 0) cells.push(['Given back', count(activations.given_back)])
  return [
    table(
      cells.map(([name]) => name),
      [cells.map(([, value]) => value)],
    ),
  ]
}

function refusals(receipt: Receipt): string[] {
  const rows = Object.entries(receipt.activations.refused).filter(([, requests]) => requests > 0)
  if (rows.length === 0) return []
  const shown = most(rows.sort(([, a], [, b]) => b - a))
  return [
    '#### Refused',
    table(
      ['Code', 'Requests', 'Because'],
      shown.map(([name, requests]) => [code(name), count(requests), meaning(name)]),
    ),
    ...remainder(rows, shown),
  ]
}

/** What a refusal code stands for; nothing for one that is none. */
export function meaning(name: string): string {
  return Object.hasOwn(catalogue, name) ? catalogue[name as keyof typeof catalogue].title : ''
}

function details(receipt: Receipt, { jws }: ReceiptOptions): string[] {
  const { job } = receipt
  const models = Object.entries(receipt.models).sort(([, a], [, b]) => b - a)
  const facts: [string, string | null][] = [
    ['Repository', job.repository],
    ['Run', `${job.run_id}, attempt ${job.run_attempt}`],
    ['Event', job.event_name],
    ['Ref', job.ref],
    ['Commit', job.sha],
    ['Minted', instant(receipt.minted_at)],
    ['First used', receipt.first_used_at === null ? null : instant(receipt.first_used_at)],
    ['Last used', receipt.last_used_at === null ? null : instant(receipt.last_used_at)],
    ['Ended', receipt.ended_at === null ? null : instant(receipt.ended_at)],
    ['Audit events', count(receipt.audit.events)],
    ['Last event', receipt.audit.head],
  ]
  return [
    '<details>\n<summary>Routes, models and the job</summary>',
    ...usedTable(
      'Route',
      receipt.routes.map(({ provider, route, activations }) => [`${provider} ${route}`, activations]),
    ),
    ...usedTable('Model', models),
    table(
      ['Job and key', ''],
      facts.filter(([, value]) => value !== null).map(([name, value]) => [name, code(value!)]),
    ),
    ...(jws !== undefined && jws.length <= 16_384 && COMPACT_JWS.test(jws)
      ? [`The receipt, signed:\n\n\`\`\`\n${jws}\n\`\`\``]
      : []),
    '</details>',
  ]
}

const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

function usedTable(name: string, rows: readonly (readonly [string, number])[]): string[] {
  if (rows.length === 0) return []
  const shown = most(rows)
  return [
    table(
      [name, 'Activations'],
      shown.map(([value, activations]) => [code(value), count(activations)]),
    ),
    ...remainder(rows, shown),
  ]
}

const MOST_ROWS = 20

function most<T>(rows: readonly T[]): readonly T[] {
  return rows.slice(0, MOST_ROWS)
}

function remainder(rows: readonly unknown[], shown: readonly unknown[]): string[] {
  return rows.length > shown.length ? [`… and ${rows.length - shown.length} more.`] : []
}

function listed(values: readonly string[]): string {
  if (values.length === 0) return '–'
  const shown = values.slice(0, 5).map((value) => code(cut(value, 60)))
  return values.length > 5 ? `${shown.join(', ')} and ${values.length - 5} more` : shown.join(', ')
}

/** With separators, so that `1000000` and `100000` are not confused. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `14:03 UTC`. */
function clockTime(at: NumericDate): string {
  return `${new Date(at * 1000).toISOString().slice(11, 16)} UTC`
}

/** `2026-11-20 14:03:07 UTC`. */
function instant(at: NumericDate): string {
  return `${new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
