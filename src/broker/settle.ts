import type { AuditFact } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import { type Clock, type Ledger, type Log, reasonOf } from './ports.ts'

type Recordable = Extract<AuditFact, { type: 'request.finished' | 'request.refused' }>

/** Puts on record how a request ended, or that it was refused. Nobody waits: what it spent is on disk already. */
export function settle(
  broker: { readonly ledger: Ledger; readonly clock: Clock; readonly log: Log },
  grant: Grant,
  fact: Recordable,
): void {
  broker.ledger.record(grant, fact, broker.clock()).catch((error) => {
    broker.log.error('record.failed', { key_id: grant.id, type: fact.type, reason: reasonOf(error) })
  })
}
