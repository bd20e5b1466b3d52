import { endReason, naturalEnd } from '#domain/grant.ts'
import { link } from '#storage/chain.ts'
import type { GrantEnding, GrantTransaction, OpenGrant, Unspent } from '#storage/grant-transaction.ts'
import type { Refused } from '#storage/refusal-counter.ts'
import type { StoredGrant } from './open-grants.ts'

/** What was decided about one grant: nothing of it is so until it is written. */
export interface Draft {
  /** The row by which it was decided. */
  readonly read: StoredGrant
  readonly grant: OpenGrant
  /** The events to be. */
  readonly events: readonly DraftEvent[]
  readonly isChanged: boolean
  /** The ending that this brings. */
  readonly ending: GrantEnding | null
  readonly unspent: Unspent
  readonly refused: readonly Refused<string>[]
  readonly opened: ReadonlySet<string>
  readonly closed: ReadonlySet<string>
  /** For the verbs that decide. */
  readonly transaction: GrantTransaction
}

export interface DraftEvent {
  readonly seq: number
  readonly hash: string
  readonly text: string
}

/** @param isOpen whether this process has charged a request that has neither finished nor been given back */
export function draftOf(read: StoredGrant, isOpen: (requestId: string) => boolean = () => false): Draft {
  const grant: OpenGrant = { ...read, chain: { ...read.chain } }
  const events: DraftEvent[] = []
  const refused: Refused<string>[] = []
  const opened = new Set<string>()
  const closed = new Set<string>()
  let isChanged = false
  let ending: GrantEnding | null = null
  let unspent: Unspent = { keys: 0, activations: 0 }

  const transaction: GrantTransaction = {
    grant(id, now) {
      if (id !== read.id) throw new RangeError('a draft is of one grant')
      const natural = grant.ended ? null : naturalEnd(grant.life, grant, now)
      if (natural) transaction.end(grant, natural.reason, natural.at)
      return grant
    },
    end(grant, cause, at) {
      const { used, life, finished, id } = grant
      const reason = endReason(cause, { used, limit: life.limit, open: used - finished })
      grant.ended = { at, reason }
      ending = { id, ending: grant.ended }
      transaction.append(grant, { type: 'key.ended', reason }, at)
      transaction.returnUnspent(grant, { keys: reason === 'reissued' ? 1 : 0, activations: life.limit - used })
      return grant.ended
    },
    append({ chain }, fact, at) {
      const text = link(chain, fact, at)
      events.push({ seq: chain.length, hash: chain.head, text })
      isChanged = true
    },
    refuse({ id }, fact, at) {
      refused.push({ chain: id, fact, at })
    },
    touch(grant, at) {
      grant.activeAt = at
      isChanged = true
    },
    returnUnspent(_, { keys, activations }) {
      unspent = { keys: unspent.keys + keys, activations: unspent.activations + activations }
    },
    openRequest(id) {
      opened.add(id)
    },
    closeRequest(id) {
      if (closed.has(id) || !(isOpen(id) || opened.has(id))) return false
      closed.add(id)
      return true
    },
  }
  return {
    read,
    grant,
    events,
    get isChanged() {
      return isChanged
    },
    get ending() {
      return ending
    },
    get unspent() {
      return unspent
    },
    refused,
    opened,
    closed,
    transaction,
  }
}

/** The row when the draft is written. */
export function afterwards({ read, grant, isChanged }: Draft): StoredGrant {
  return { ...grant, version: read.version + (isChanged ? 1 : 0) }
}

export function endingsOf(drafts: readonly Draft[]): GrantEnding[] {
  return drafts.flatMap(({ ending }) => ending ?? [])
}
