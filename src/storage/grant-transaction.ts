import type { AuditFact } from '#domain/audit-event.ts'
import type { Ending, EndReason, GrantLife } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { Chain } from './chain.ts'
import type { RefusedFact } from './refusal-counter.ts'

/** A grant in the hands of a transaction: its row, changed here and written before the commit. */
export interface OpenGrant {
  readonly no: number
  readonly id: string
  readonly life: GrantLife
  readonly chain: Chain
  used: number
  givenBack: number
  /** Of the used ones: those whose request has finished. */
  finished: number
  activeAt: NumericDate
  ended: Ending | null
}

/** What a verb on grants does its work with, on every store. */
export interface GrantTransaction<G extends OpenGrant = OpenGrant> {
  /** A grant as time has left it: if it has expired or idled away by `now`, its ending is recorded first. */
  grant(id: string, now: NumericDate): G
  /** Ends a grant that has not ended. */
  end(grant: G, cause: EndReason, at: NumericDate): Ending
  append(grant: G, fact: AuditFact, at: NumericDate): void
  /** Has a refusal of a request counted, or written. */
  refuse(grant: G, fact: RefusedFact, at: NumericDate): void
  /** Writes that the grant was active. */
  touch(grant: G, at: NumericDate): void
  /** Gives back to the run and the day of a grant what it was granted and will not spend. */
  returnUnspent(grant: G, unspent: Unspent): void
  openRequest(id: string): void
  /** @returns whether the request was open */
  closeRequest(id: string): boolean
}

export interface GrantEnding {
  readonly id: string
  readonly ending: Ending
}

export interface Unspent {
  readonly keys: number
  readonly activations: number
}
