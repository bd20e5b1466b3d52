import type { AuditFact } from '#domain/audit-event.ts'
import { type Ending, type EndReason, endReason, naturalEnd } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { link } from '#storage/chain.ts'
import type { GrantEnding, GrantTransaction, OpenGrant, Unspent } from '#storage/grant-transaction.ts'
import type { Refused, RefusedFact } from '#storage/refusal-counter.ts'
import type { StoredGrant } from './open-grants.ts'

export interface DraftEvent {
  readonly seq: number
  readonly hash: string
  readonly text: string
}

const NOTHING: Unspent = { keys: 0, activations: 0 }

/** What verbs decided about one grant: nothing of it is so until it is written. */
export class Draft implements GrantTransaction {
  /** The row by which it was decided. */
  readonly read: StoredGrant
  /** The row to be. */
  readonly row: OpenGrant
  /** The events to be. */
  readonly events: DraftEvent[] = []
  isChanged = false
  /** The ending that this brings. */
  ending: GrantEnding | null = null
  unspent = NOTHING
  readonly refused: Refused<string>[] = []
  readonly opened: string[] = []
  readonly closed: string[] = []
  readonly #openRequests: ReadonlySet<string>

  /** @param openRequests that this process has charged, and that have neither finished nor been given back */
  constructor(read: StoredGrant, openRequests: ReadonlySet<string> = new Set()) {
    this.read = read
    this.row = { ...read, chain: { ...read.chain } }
    this.#openRequests = openRequests
  }

  grant(id: string, now: NumericDate): OpenGrant {
    const { row } = this
    if (id !== row.id) throw new RangeError('a draft is of one grant')
    const natural = row.ended ? null : naturalEnd(row.life, row, now)
    if (natural) this.end(row, natural.reason, natural.at)
    return row
  }

  end(row: OpenGrant, cause: EndReason, at: NumericDate): Ending {
    const { used, life, finished, id } = row
    const reason = endReason(cause, { used, limit: life.limit, open: used - finished })
    row.ended = { at, reason }
    this.ending = { id, ending: row.ended }
    this.append(row, { type: 'key.ended', reason }, at)
    this.returnUnspent(row, { keys: reason === 'reissued' ? 1 : 0, activations: life.limit - used })
    return row.ended
  }

  append({ chain }: OpenGrant, fact: AuditFact, at: NumericDate): void {
    const text = link(chain, fact, at)
    this.events.push({ seq: chain.length, hash: chain.head, text })
    this.isChanged = true
  }

  refuse({ id }: OpenGrant, fact: RefusedFact, at: NumericDate): void {
    this.refused.push({ chain: id, fact, at })
  }

  touch(row: OpenGrant, at: NumericDate): void {
    row.activeAt = at
    this.isChanged = true
  }

  returnUnspent(_: OpenGrant, { keys, activations }: Unspent): void {
    this.unspent = { keys: this.unspent.keys + keys, activations: this.unspent.activations + activations }
  }

  openRequest(id: string): void {
    this.opened.push(id)
  }

  closeRequest(id: string): boolean {
    if (this.closed.includes(id) || !(this.#openRequests.has(id) || this.opened.includes(id))) return false
    this.closed.push(id)
    return true
  }

  /** The row when the draft is written. */
  afterwards(): StoredGrant {
    return { ...this.row, version: this.read.version + (this.isChanged ? 1 : 0) }
  }
}

export function endingsOf(drafts: readonly Draft[]): GrantEnding[] {
  return drafts.flatMap(({ ending }) => ending ?? [])
}
