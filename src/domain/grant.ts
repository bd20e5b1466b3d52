import type { Job } from './job-identity.ts'
import type { NumericDate } from './numeric-date.ts'
import type { Scope } from './scope.ts'

/** What the broker remembers of a key and never changes: cached by the key's digest. */
export interface Grant {
  /** `k_` and 22 base62 characters. Public: names the key without being it. */
  readonly id: string
  readonly policy: string
  readonly job: Job
  readonly scope: Scope
  readonly limit: number
  readonly mintedAt: NumericDate
  readonly expiresAt: NumericDate
  readonly idleAfterSeconds: number | null
  readonly concurrentRequests: number
}

/** What changes of a grant, only through the ledger. */
export interface GrantState {
  /** Activations that count now: charged and not given back. */
  readonly used: number
  readonly givenBack: number
  /** The last charge, finish, or heartbeat of an open stream; when it was minted, before any. */
  readonly activeAt: NumericDate
  readonly ended: Ending | null
}

export interface Ending {
  readonly at: NumericDate
  readonly reason: EndReason
}

export type EndReason =
  | 'revoked_by_job'
  | 'revoked_by_operator'
  | 'job_completed'
  | 'expired'
  | 'idle'
  | 'exhausted'
  | 'reissued'

const UNCLOSED: ReadonlySet<EndReason | null> = new Set(['job_completed', 'expired', 'idle'])

/** Whether the broker had to end the key, because neither its job's post step nor a person did. `null`: it is alive. */
export function isUnclosed(reason: EndReason | null): boolean {
  return UNCLOSED.has(reason)
}

/** Why a key that was presented may not be used. */
export type DeadReason = 'activations_exhausted' | 'key_expired' | 'key_revoked'

export type Activation =
  | { readonly kind: 'activation'; readonly used: number; readonly limit: number }
  | {
      readonly kind: 'refused'
      readonly code: DeadReason
      /** How the key ended; `null`: it lives, and its budget is spent. */
      readonly ended: EndReason | null
      readonly used: number
      readonly limit: number
    }

const CODE_OF_END: Readonly<Record<EndReason, DeadReason>> = {
  revoked_by_job: 'key_revoked',
  revoked_by_operator: 'key_revoked',
  job_completed: 'key_revoked',
  reissued: 'key_revoked',
  expired: 'key_expired',
  idle: 'key_expired',
  exhausted: 'activations_exhausted',
}

/** What of a grant decides whether it lives. */
export type GrantLife = Pick<Grant, 'limit' | 'expiresAt' | 'idleAfterSeconds'>

/** The rule that every ledger keeps: whether one more activation may be spent now. */
export function activate(grant: GrantLife, state: GrantState, now: NumericDate): Activation {
  const code = deadReason(grant, state, now)
  const limit = grant.limit
  if (code) {
    const ended = (state.ended ?? naturalEnd(grant, state, now))?.reason ?? null
    return { kind: 'refused', code, ended, used: state.used, limit }
  }
  return { kind: 'activation', used: state.used + 1, limit }
}

/** Why nothing may be done with the key now, free routes included; `null` when it may. */
export function deadReason(grant: GrantLife, state: GrantState, now: NumericDate): DeadReason | null {
  const ending = state.ended ?? naturalEnd(grant, state, now)
  if (ending) return CODE_OF_END[ending.reason]
  return state.used >= grant.limit ? 'activations_exhausted' : null
}

/** The ending that time alone brings, if it has come: expiry or idleness, whichever was first. */
export function naturalEnd(grant: GrantLife, state: GrantState, now: NumericDate): Ending | null {
  const idleAt = grant.idleAfterSeconds === null ? Number.POSITIVE_INFINITY : state.activeAt + grant.idleAfterSeconds
  if (Math.min(grant.expiresAt, idleAt) > now) return null
  return grant.expiresAt <= idleAt ? { at: grant.expiresAt, reason: 'expired' } : { at: idleAt, reason: 'idle' }
}

/** A spent key whose last request has finished is closed as `exhausted`, whatever closed it. */
export function endReason(cause: EndReason, state: { used: number; limit: number; open: number }): EndReason {
  return cause !== 'reissued' && state.used >= state.limit && state.open === 0 ? 'exhausted' : cause
}
