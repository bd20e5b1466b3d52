import {
  type ChainFault,
  type ChainHead,
  chainVerifier,
  counted,
  type Sha256,
  type VerifiedChain,
  type Witness,
} from './audit-chain.ts'
import { type AuditEvent, BROKER_CHAIN } from './audit-event.ts'

/** A stored trail as it is read from begin to end: chain after chain, each with its events in their order. */
export type TrailRecord =
  | {
      readonly kind: 'chain'
      /** A key id, `broker`, or what the store calls a chain that belongs to nothing. */
      readonly chain: string
      /** In the order of their `seq`. */
      readonly witnesses: readonly Witness[]
    }
  | {
      readonly kind: 'event'
      /** The exact bytes whose SHA-256 is the event's hash. */
      readonly bytes: Uint8Array
      /** In hex; `null` where none is kept beside the event. */
      readonly hash: string | null
      /** What is wrong with the place where it is kept, as the store itself sees it. */
      readonly misplaced: Mismatch | null
    }
  | {
      readonly kind: 'end'
      /** What the store remembers of the chain's end; `null` where it remembers nothing. */
      readonly end: StoredEnd | null
      readonly misplaced: Mismatch | null
    }

export interface Mismatch {
  readonly expected: string
  readonly found: string
}

export interface StoredEnd {
  readonly events: number
  readonly hash: string
  /** What a grant's row says of it; `null` for a chain without one. */
  readonly grant: { readonly used: number; readonly limit: number; readonly hasEnded: boolean } | null
}

/** What a trail came to. It holds if there is no fault. */
export interface TrailVerdict {
  readonly chains: number
  readonly events: number
  /** Events that are newer than every witness of their chain: their links hold, their end is nobody's word. */
  readonly unwitnessed: number
  /** One a chain at most, in the order of the chains; the first {@link MOST_FAULTS}. */
  readonly faults: readonly ChainFault[]
  readonly faultyChains: number
}

const MOST_FAULTS = 100

/**
 * Verifies a whole trail as a fold. What it keeps does not grow with the events.
 *
 * @param options `onChain`: called with what each chain came to; `isCopy`: the trail is no store but a copy that others had
 *   in their hands, so that a chain is forgotten only if a witness has seen the event that says so
 */
export function trailVerifier(
  sha256: Sha256,
  { onChain = () => {}, isCopy = false }: { onChain?: (chain: VerifiedChain) => void; isCopy?: boolean } = {},
): { add(record: TrailRecord): void; end(): TrailVerdict } {
  let chains = 0
  let events = 0
  let unwitnessed = 0
  let faultyChains = 0
  const faults: ChainFault[] = []
  /** Chains that retention removed, and where they ended, as the broker's chain says, which comes before them. */
  const forgotten = new Map<string, ChainHead>()
  let open: OpenChain | null = null

  function misplaced(mismatch: Mismatch | null): void {
    if (open && mismatch)
      open.fault ??= { kind: 'changed', chain: open.chain, seq: Math.max(1, open.seen), ...mismatch }
  }

  function close(end: StoredEnd | null): void {
    if (!open) return
    const came = open.verifier.end()
    if (open.chain === BROKER_CHAIN && came.fault) forgotten.clear()
    if (open.seen === 0 && endedAt(forgotten.get(open.chain), open.witnesses)) {
      open = null
      return
    }
    const fault = came.fault ?? open.fault ?? (end && faultOfEnd(came, end))
    chains++
    events += came.events
    unwitnessed += came.unwitnessed
    if (fault && faultyChains++ < MOST_FAULTS) faults.push(fault)
    onChain({ ...came, fault })
    open = null
  }

  return {
    add(record) {
      switch (record.kind) {
        case 'chain':
          close(null)
          open = {
            chain: record.chain,
            witnesses: record.witnesses,
            verifier: chainVerifier(record.chain, sha256, record.witnesses),
            seen: 0,
            fault: null,
          }
          break
        case 'event':
          if (!open) throw new Error('an event without a chain')
          open.seen++
          open.verifier.add(record.bytes, record.hash)
          if (open.chain === BROKER_CHAIN && (!isCopy || open.seen <= (open.witnesses.at(-1)?.seq ?? 0))) {
            const head = forgottenHead(record.bytes)
            if (head) forgotten.set(head.chain, head)
          }
          misplaced(record.misplaced)
          break
        case 'end':
          misplaced(record.misplaced)
          close(record.end)
          break
      }
    },
    end() {
      close(null)
      return { chains, events, unwitnessed, faults, faultyChains }
    },
  }
}

const utf8 = new TextDecoder()

/** The chain that an event of the broker's chain says was forgotten. */
function forgottenHead(bytes: Uint8Array): ChainHead | null {
  const text = utf8.decode(bytes)
  if (!text.includes('"type":"operator.forget"')) return null
  try {
    const event = JSON.parse(text) as AuditEvent
    return event.type === 'operator.forget' ? { chain: event.key, seq: event.events, hash: event.head } : null
  } catch {
    // The verifier of the chain has found it.
    return null
  }
}

/** Whether a chain ended where its last witness has seen it. */
function endedAt(end: ChainHead | undefined, witnesses: readonly Witness[]): boolean {
  const last = witnesses.at(-1)
  return end !== undefined && last?.seq === end.seq && last.hash === end.hash
}

interface OpenChain {
  readonly chain: string
  readonly witnesses: readonly Witness[]
  readonly verifier: ReturnType<typeof chainVerifier>
  seen: number
  /** What the store itself saw first. */
  fault: ChainFault | null
}

/** The store's own word on a chain's end, against what is there. */
function faultOfEnd({ head, used, limit, hasEnded }: VerifiedChain, end: StoredEnd): ChainFault | null {
  const { chain, seq } = head
  const miscounted = (expected: string, found: string): ChainFault => ({
    kind: 'miscounted',
    chain,
    seq,
    expected,
    found,
  })
  if (end.events > seq)
    return { kind: 'truncated', chain, seq: seq + 1, expected: counted(end.events), found: counted(seq) }
  if (end.events < seq || end.hash !== head.hash)
    return {
      kind: 'changed',
      chain,
      seq,
      expected: `the chain to end with event ${end.events}, hash ${end.hash}`,
      found: `event ${seq}, hash ${head.hash}`,
    }
  const { grant } = end
  if (!grant) return null
  if (grant.used !== used)
    return miscounted(`${used} activations in use, as its events add up to`, `a counter of ${grant.used}`)
  if (limit !== null && grant.limit !== limit)
    return miscounted(`a budget of ${limit}, as it was minted`, `one of ${grant.limit}`)
  if (grant.hasEnded !== hasEnded)
    return miscounted(
      hasEnded ? 'a key that has ended' : 'a key that has not ended',
      grant.hasEnded ? 'one that has' : 'one that has not',
    )
  return null
}
