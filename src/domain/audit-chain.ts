import { type AuditEvent, FIRST_PREV } from './audit-event.ts'

/** SHA-256, in hex. */
export type Sha256 = (bytes: Uint8Array | string) => string

/** Where a chain stood once: its event `seq` had this hash. */
export interface ChainHead {
  /** A key id, or `broker`. */
  readonly chain: string
  readonly seq: number
  /** In hex. */
  readonly hash: string
}

/** A head that somebody outside the chain vouches for. */
export interface Witness {
  readonly seq: number
  readonly hash: string
  /** Who says so, for people: `checkpoint 12`, `the receipt`. */
  readonly by: string
}

/** Why a chain is not what was recorded. The first thing that is wrong with it; what follows proves nothing. */
export interface ChainFault {
  readonly kind: FaultKind
  readonly chain: string
  /** The event at which it shows. */
  readonly seq: number
  readonly expected: string
  readonly found: string
}

export type FaultKind =
  /** The event is not the one whose hash was recorded. */
  | 'changed'
  /** The event names another predecessor than the one that is there: one of the two was changed. */
  | 'unlinked'
  | 'missing'
  | 'reordered'
  | 'duplicated'
  /** The chain ends before a head that is vouched for. */
  | 'truncated'
  /** What stands there is no event of this chain. */
  | 'unreadable'
  /** The row of the grant is not what its events add up to: its counter, its budget, whether it has ended. */
  | 'miscounted'
  /** By the rules it cannot have happened: an activation beyond the budget, or after the end; a second end. */
  | 'impossible'

/** What a chain came to. */
export interface VerifiedChain {
  readonly events: number
  /** How many of them no witness covers: those after the last head that is vouched for. */
  readonly unwitnessed: number
  readonly head: ChainHead
  /** Activations that count: charged and not given back. */
  readonly used: number
  /** The budget that it was minted with; `null` where nothing was minted. */
  readonly limit: number | null
  readonly hasEnded: boolean
  readonly fault: ChainFault | null
}

/**
 * Verifies one chain as a fold: each event is looked at once, and nothing is kept but its hash.
 *
 * @param witnesses in the order of their `seq`
 * @returns `add` takes the events in the order in which they are kept: the exact bytes, and the hash that was recorded
 *   beside them, if one was. `end` tells what the chain came to
 */
export function chainVerifier(
  chain: string,
  sha256: Sha256,
  witnesses: readonly Witness[] = [],
): { add(bytes: Uint8Array, recordedHash: string | null): void; end(): VerifiedChain } {
  let events = 0
  let used = 0
  let limit: number | null = null
  let hasEnded = false
  let head: ChainHead = { chain, seq: 0, hash: FIRST_PREV }
  let nextWitness = 0
  let fault: ChainFault | null = null

  const faulty = (kind: FaultKind, seq: number, expected: string, found: string): ChainFault => ({
    kind,
    chain,
    seq,
    expected,
    found,
  })

  /** Takes the event as the next one, or tells why it is not. */
  function take(bytes: Uint8Array, recordedHash: string | null): ChainFault | null {
    const seq = head.seq + 1
    const hash = sha256(bytes)
    if (recordedHash !== null && hash !== recordedHash)
      return faulty('changed', seq, `hash ${recordedHash}, as recorded beside it`, `hash ${hash}`)
    const event = eventOf(bytes)
    if (!event) return faulty('unreadable', seq, 'a JSON event', 'something else')
    if (event.chain !== chain) return faulty('unreadable', seq, `an event of ${chain}`, `one of ${shown(event.chain)}`)
    if (event.seq !== seq) {
      const kind = event.seq > seq ? 'missing' : event.seq === head.seq ? 'duplicated' : 'reordered'
      return faulty(kind, seq, `event ${seq}`, `event ${event.seq}`)
    }
    if (event.prev !== head.hash)
      return faulty('unlinked', seq, `prev ${head.hash}, the hash of event ${head.seq}`, `prev ${shown(event.prev)}`)
    for (let witness = witnesses[nextWitness]; witness?.seq === seq; witness = witnesses[++nextWitness])
      if (witness.hash !== hash)
        return faulty('changed', seq, `hash ${witness.hash}, says ${witness.by}`, `hash ${hash}`)
    head = { chain, seq, hash }
    return count(event)
  }

  /** Keeps to the rules by which events come about. */
  function count(event: AuditEvent): ChainFault | null {
    switch (event.type) {
      case 'key.minted':
        limit = event.limit
        break
      case 'activation':
        if (hasEnded) return faulty('impossible', event.seq, 'no activation after the end of the key', 'one')
        used++
        if (limit !== null && used > limit)
          return faulty('impossible', event.seq, `at most ${limit} activations in use, the budget`, String(used))
        break
      case 'activation.given_back':
        used--
        break
      case 'key.ended':
        if (hasEnded) return faulty('impossible', event.seq, 'one end of the key', 'a second one')
        hasEnded = true
        break
    }
    return null
  }

  return {
    add(bytes, recordedHash) {
      events++
      if (!fault) fault = take(bytes, recordedHash)
      // What was not in its place and comes later was moved, not removed.
      else if (fault.kind === 'missing' && eventOf(bytes)?.seq === fault.seq) fault = { ...fault, kind: 'reordered' }
    },
    end() {
      const last = witnesses.at(-1)
      if (last && last.seq > head.seq)
        fault ??= faulty('truncated', head.seq + 1, `at least ${counted(last.seq)}, says ${last.by}`, counted(head.seq))
      return { events, unwitnessed: Math.max(0, events - (last?.seq ?? 0)), head, used, limit, hasEnded, fault }
    },
  }
}

/** `1 event`, `2 events` */
export function counted(events: number): string {
  return `${events} ${events === 1 ? 'event' : 'events'}`
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** `null` for what is no event at all. */
function eventOf(bytes: Uint8Array): AuditEvent | null {
  try {
    const event = JSON.parse(utf8.decode(bytes)) as AuditEvent
    return Number.isSafeInteger(event.seq) && typeof event.chain === 'string' && typeof event.prev === 'string'
      ? event
      : null
  } catch {
    return null
  }
}

/** Text of whoever changed the record, cut so that it cannot fill a terminal. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}
