import type { AuditFact } from '#domain/audit-event.ts'

export type RefusedFact = Extract<AuditFact, { type: 'request.refused' }>

/** One refusal of a request, on its way to the chain of a grant. */
export interface Refused<Chain> {
  readonly chain: Chain
  readonly fact: RefusedFact
  /** The caller's clock. */
  readonly at: number
}

/** Equal refusals within this many milliseconds of one that was written become one event. */
const WINDOW_MILLISECONDS = 1000
/** Different refusals of one grant within a window; what goes beyond is counted under the route `*`. */
const MAX_DIFFERENT = 16

/**
 * Keeps a flood of refused requests from filling the disk. The first of its kind (grant, code, provider, route) is written at
 * once; further ones are counted, and written as one event when the second is over or somebody reads the chain.
 */
export interface RefusalCounter<Chain> {
  /** Sorts refusals into those to write now, which it returns, and those it counts. */
  add(refused: readonly Refused<Chain>[], monotonic: number): Refused<Chain>[]
  /** Takes out what was counted and is due: windows that are over, or all of `chain`, or everything. */
  take(what: { readonly monotonic: number } | { readonly chain: Chain } | 'all'): Refused<Chain>[]
  /** Counts what was taken again: its transaction was rolled back. */
  putBack(taken: readonly Refused<Chain>[]): void
  /** Whether a window is open, so that `take` must come again. */
  readonly isOpen: boolean
}

interface Window<Chain> {
  readonly until: number
  counted: Refused<Chain> | null
}

/** `Chain` is compared as a `Map` compares its keys. */
export function refusalCounter<Chain>(): RefusalCounter<Chain> {
  const chains = new Map<Chain, Map<string, Window<Chain>>>()

  function takeFrom(chain: Chain, isDue: (window: Window<Chain>) => boolean): Refused<Chain>[] {
    const windows = chains.get(chain)
    const due: Refused<Chain>[] = []
    for (const [kind, window] of windows ?? []) {
      if (!isDue(window)) continue
      if (window.counted) due.push(window.counted)
      windows?.delete(kind)
    }
    if (windows?.size === 0) chains.delete(chain)
    return due
  }

  return {
    add(refused, monotonic) {
      const now: Refused<Chain>[] = []
      for (const one of refused) {
        const windows = chains.get(one.chain) ?? new Map<string, Window<Chain>>()
        chains.set(one.chain, windows)
        let { chain, fact, at } = one
        if (windows.size >= MAX_DIFFERENT && !windows.has(kindOf(fact))) fact = { ...fact, route: '*', model: null }
        const window = windows.get(kindOf(fact))
        if (!window) {
          windows.set(kindOf(fact), { until: monotonic + WINDOW_MILLISECONDS, counted: null })
          now.push({ chain, fact, at })
        } else {
          window.counted = together({ chain, fact, at }, window.counted)
        }
      }
      return now
    },
    take(what) {
      if (what !== 'all' && 'chain' in what) return takeFrom(what.chain, () => true)
      const isDue = (window: Window<Chain>) => what === 'all' || window.until <= what.monotonic
      return [...chains.keys()].flatMap((chain) => takeFrom(chain, isDue))
    },
    putBack(taken) {
      for (const refused of taken) {
        const windows = chains.get(refused.chain) ?? new Map<string, Window<Chain>>()
        chains.set(refused.chain, windows)
        const window = windows.get(kindOf(refused.fact)) ?? { until: 0, counted: null }
        windows.set(kindOf(refused.fact), window)
        window.counted = together(refused, window.counted)
      }
    },
    get isOpen() {
      return chains.size > 0
    },
  }
}

function together<Chain>(one: Refused<Chain>, counted: Refused<Chain> | null): Refused<Chain> {
  return { ...one, fact: { ...one.fact, count: one.fact.count + (counted?.fact.count ?? 0) } }
}

function kindOf(fact: RefusedFact): string {
  return `${fact.code}\n${fact.provider}\n${fact.route}`
}
