import type { Command } from 'commander'
import { checksText } from '#cli/checks-text.ts'
import { Failure } from '#cli/failure.ts'
import { writeOut } from '#cli/standard-output.ts'
import { columns, instant } from '#cli/text.ts'
import { withLedger } from '#cli/with-ledger.ts'
import { type AuditEvent, BROKER_CHAIN } from '#domain/audit-event.ts'
import type { Ledger } from '#serve.ts'

type RefusedMint = Extract<AuditEvent, { type: 'mint.refused' }>

/** `till policy explain`: a refused mint as it was decided, whatever the policies say now. */
export function explain(denyId: string, { json }: { readonly json?: boolean }, command: Command): Promise<void> {
  return withLedger(command, async ({ ledger }) => {
    const event = await refusedMint(ledger, denyId)
    if (!event)
      throw new Failure(
        `Cannot explain ${denyId.slice(0, 40)}: this ledger has no refused mint with that id. \`till audit tail\` shows the last ones.`,
      )
    await writeOut(json ? `${JSON.stringify(event, null, 2)}\n` : `${explanation(event)}\n`)
  })
}

async function refusedMint(ledger: Ledger, denyId: string): Promise<RefusedMint | null> {
  for await (const { event } of ledger.events(BROKER_CHAIN))
    if (event.type === 'mint.refused' && event.deny_id === denyId) return event
  return null
}

function explanation({ at, deny_id, code, job, considered }: RefusedMint): string {
  const facts: (readonly [string, string | null])[] = [
    ['refused', `${instant(at)}, ${code}`],
    ['repository', `${job.repository} (${job.repository_id}, owner ${job.repository_owner_id})`],
    ['run', `${job.run_id}, attempt ${job.run_attempt}`],
    ['event', job.event_name],
    ['ref', job.ref],
    ['workflow', job.workflow_ref],
    ['actor', job.actor],
  ]
  const said = facts.flatMap(([name, value]) => (value === null ? [] : [[`  ${name}`, value]]))
  const checks = considered.length === 0 ? 'No policy was considered.' : checksText(considered)
  return `${deny_id}: a key was refused\n${columns(said)}\n\n${checks}\nDenied: ${reason(code)}`
}

function reason(code: string): string {
  return code === 'policy_denied' ? 'no policy allows it.' : `${code}.`
}
