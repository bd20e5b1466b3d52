import { LRUCache } from 'lru-cache'
import type { StorageUnavailable } from '#broker/ports.ts'
import type { BatchAnswer } from '#storage/call-queue.ts'
import type { GrantEnding } from '#storage/grant-transaction.ts'
import type { Refused } from '#storage/refusal-counter.ts'
import { Draft, endingsOf } from './draft.ts'
import { isFaultOfCall, mayRunAgain, unavailableFrom } from './faults.ts'
import { BARRIER, closedRequest, type GrantCall, isRead, type LaneCall, runCall } from './grant-calls.ts'
import { lockGrants, readGrants, type StoredGrant } from './open-grants.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { transact, transactIn } from './transact.ts'
import { reachesFurther, writeConsequences, writeDrafts } from './write-drafts.ts'

/** Rows that are kept as they were read or written last. */
const CACHED_GRANTS = 20_000
/** A grant that another replica was seen to write is decided under a lock for so long. Milliseconds. */
const CONTENDED_FOR = 1000

/** Each fault comes with its whole sentence. */
type LaneAnswer = BatchAnswer<StorageUnavailable>

/** What follows from what was written. */
export interface Consequences {
  endings(endings: readonly GrantEnding[]): void
  refusals(refused: readonly Refused<string>[]): void
}

interface Decision {
  readonly draft: Draft
  readonly results: readonly unknown[]
}

/**
 * The one lane on which this process changes single grants: charges, what follows them, revocations. A grant and its
 * events are written together or not at all.
 *
 * It decides by the rows that it remembers, and writes a row only if it is still the same: one statement and one round
 * trip when no other replica uses the grant. What was decided by a row that has changed is decided again under a lock.
 *
 * @returns a function that runs a batch of calls
 */
export function openLane(sessions: Sessions, on: Consequences): (calls: readonly LaneCall[]) => Promise<LaneAnswer> {
  const known = new LRUCache<string, StoredGrant>({ max: CACHED_GRANTS })
  const contended = new LRUCache<string, true>({ max: CACHED_GRANTS, ttl: CONTENDED_FOR })
  // Not on disk: what was open when the broker died may have reached the provider, so it stays spent.
  const openRequests = new Set<string>()

  function decide(grant: StoredGrant | undefined, calls: readonly GrantCall[]): Decision {
    if (!grant) throw new RangeError('no grant has this id')
    const draft = new Draft(grant, openRequests)
    return { draft, results: calls.map((call) => runCall(draft, call)) }
  }

  /**
   * Decides by the rows that are remembered, or are read now because the calls, or what was decided before, need it.
   *
   * @returns what was written, or decided by a row that was read now
   */
  async function optimistically(session: Session, groups: Groups, mustRead: Set<string>): Promise<Decision[]> {
    const read = [...groups.keys()].filter((id) => !known.has(id) || mustRead.has(id) || groups.get(id)!.some(isRead))
    if (read.length > 0) for (const grant of await readGrants(session, read)) known.set(grant.id, grant)

    const decisions = [...groups].map(([id, calls]) => decide(known.get(id), calls))
    const changed = decisions.filter(({ draft }) => draft.isChanged).map(({ draft }) => draft)
    const saved = await write(session, changed)
    return decisions.filter(({ draft }) => {
      const { id, no } = draft.read
      if (!draft.isChanged) {
        // Decided by memory alone, with nothing to write that would show whether it is still so.
        if (!read.includes(id)) mustRead.add(id)
        return read.includes(id)
      }
      if (saved.has(no)) return true
      known.delete(id)
      contended.set(id, true)
      return false
    })
  }

  async function write(session: Session, changed: readonly Draft[]): Promise<ReadonlySet<number>> {
    if (changed.length === 0) return new Set()
    if (!changed.some(reachesFurther)) return writeDrafts(session, changed)
    return transactIn(session, async (statements) => {
      const saved = await writeDrafts(statements, changed)
      await writeConsequences(
        statements,
        changed.filter(({ read }) => saved.has(read.no)),
      )
      return saved
    })
  }

  /** Decides while nobody else can change the grants. */
  function underLock(groups: Groups): Promise<Decision[]> {
    return transact(sessions, async (statements) => {
      const grants = new Map((await lockGrants(statements, [...groups.keys()])).map((grant) => [grant.id, grant]))
      const decisions = [...groups].map(([id, calls]) => decide(grants.get(id), calls))
      const changed = decisions.map(({ draft }) => draft).filter(({ isChanged }) => isChanged)
      if (changed.length > 0) await writeDrafts(statements, changed)
      await writeConsequences(statements, changed)
      return decisions
    })
  }

  /** What was decided is so now. */
  function adopt(drafts: readonly Draft[]): void {
    for (const draft of drafts) {
      known.set(draft.read.id, draft.afterwards())
      for (const id of draft.opened) openRequests.add(id)
      for (const id of draft.closed) openRequests.delete(id)
    }
    const endings = endingsOf(drafts)
    if (endings.length > 0) on.endings(endings)
    const refused = drafts.flatMap(({ refused }) => refused)
    if (refused.length > 0) on.refusals(refused)
  }

  async function settle(groups: Groups, results: Map<LaneCall, unknown>): Promise<void> {
    const mustRead = new Set<string>()
    for (let attempts = 0; groups.size > 0; attempts++) {
      const mustLock = attempts >= 2 || [...groups.keys()].some((id) => contended.has(id))
      const decisions = mustLock
        ? await underLock(groups)
        : await sessions.use((session) => optimistically(session, groups, mustRead)).catch(decideAgain)
      adopt(decisions.map(({ draft }) => draft))
      for (const { draft, results: values } of decisions) {
        for (const [index, call] of groups.get(draft.read.id)!.entries()) results.set(call, values[index])
        groups.delete(draft.read.id)
      }
    }
  }

  return async function run(calls: readonly LaneCall[]): Promise<LaneAnswer> {
    const results = new Map<LaneCall, unknown>([[BARRIER, undefined]])
    const asked = calls.filter((call) => call !== BARRIER)
    const groups = Map.groupBy(asked, ({ id }) => id)
    try {
      await settle(groups, results)
      return { results: calls.map((call) => results.get(call)), failures: [], broken: null }
    } catch (error) {
      known.clear()
      const lost = asked.filter((call) => !results.has(call))
      if (isFaultOfCall(error) && lost.length > 1) return each(calls, results, run)
      // The outcome may be unknown: what was charged counts as spent, and no request is given back twice.
      for (const call of lost) openRequests.delete(closedRequest(call) ?? '')
      const why = unavailableFrom(error)
      const failures = calls.flatMap((call, index) => (results.has(call) ? [] : [[index, why] as const]))
      return { results: calls.map((call) => results.get(call)), failures, broken: null }
    }
  }
}

/** What the server rolled back for the sake of others can be decided once more, under a lock. */
function decideAgain(error: unknown): Decision[] {
  if (mayRunAgain(error)) return []
  throw error
}

type Groups = Map<string, readonly GrantCall[]>

/** A call that fails by a fault of its own must not take the others with it. */
async function each(
  calls: readonly LaneCall[],
  done: ReadonlyMap<LaneCall, unknown>,
  run: (calls: readonly LaneCall[]) => Promise<LaneAnswer>,
): Promise<LaneAnswer> {
  const results: unknown[] = []
  const failures: (readonly [number, StorageUnavailable])[] = []
  for (const [index, call] of calls.entries()) {
    if (done.has(call)) results.push(done.get(call))
    else {
      const answer = await run([call])
      results.push(answer.results[0])
      for (const [, why] of answer.failures) failures.push([index, why])
    }
  }
  return { results, failures, broken: null }
}
