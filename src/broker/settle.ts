import type { AuditFact } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import { type Clock, type Ledger, reasonOf } from './ports.ts'

type Recordable = Extract<AuditFact, { type: 'request.finished' | 'request.refused' }>

/** What could not be put on record, and why. */
export interface Unrecorded {
  readonly key_id: string
  readonly type: Recordable['type']
  readonly reason: string
}

/** Puts on record how a request ended, or that it was refused. Nobody waits: what it spent is on disk already. */
export function settle(
  broker: {
    readonly ledger: Ledger
    readonly clock: Clock
    readonly recordFailed: (unrecorded: Unrecorded) => void
  },
  grant: Grant,
  fact: Recordable,
): void {
  broker.ledger
    .record(grant, fact, broker.clock())
    .catch((error) => broker.recordFailed({ key_id: grant.id, type: fact.type, reason: reasonOf(error) }))
}
