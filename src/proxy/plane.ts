import type { Clock, Credentials, Ledger, Log, Rules } from '#broker/ports.ts'
import type { Unrecorded } from '#broker/settle.ts'
import type { KnownGrants } from './known-grants.ts'
import type { DataPlaneLimits } from './limits.ts'
import type { MinuteRate } from './minute-rate.ts'
import type { OpenRequests } from './open-requests.ts'
import type { RedactorFor } from './redactor.ts'
import type { Upstream } from './upstream.ts'

/** What every step of a request's way may use. */
export interface Plane {
  readonly ledger: Ledger
  readonly rules: () => Rules
  readonly credentials: Credentials
  readonly clock: Clock
  readonly digest: (text: string) => Uint8Array
  readonly log: Log
  /** Tells the operator why a request was refused for the ledger's sake. */
  readonly ledgerFailed: (reason: string) => void
  /** … and what is therefore not on record. */
  readonly recordFailed: (unrecorded: Unrecorded) => void
  readonly limits: DataPlaneLimits
  readonly upstream: Upstream
  readonly open: OpenRequests
  readonly known: KnownGrants
  readonly freeRate: MinuteRate
  readonly givenBackRate: MinuteRate
  readonly redactorFor: RedactorFor
}
