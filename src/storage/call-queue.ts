import { StorageUnavailable } from '#broker/ports.ts'

/** Under load, batches start at least this far apart (milliseconds): more calls share a flush of the disk. */
const MIN_INTERVAL = 1
/** A batch of this many calls is load. Below it waiting would cost each call more than it saves. */
const LOAD = 8
/** Calls in a batch, so that one transaction stays short. */
const MAX_BATCH = 4096

/** What the calls of a batch came to, in their order. */
export interface BatchAnswer {
  readonly results: readonly unknown[]
  /** By index: the calls that came to nothing, and why. */
  readonly failures: readonly (readonly [index: number, why: string])[]
  /** Why nothing may be written any more, until the process starts again. */
  readonly broken: string | null
}

/** Group commit: what waits while a batch is on its way to the disk is the next batch. */
export interface CallQueue<Call> {
  /** @throws {StorageUnavailable} (the promise rejects) unless the call's transaction is on disk */
  call(call: Call): Promise<unknown>
  /** Rejects what waits and what comes. */
  fail(error: StorageUnavailable): void
  /** Rejects what comes; what waits is still committed. */
  close(): void
}

interface Waiting<Call> {
  readonly call: Call
  readonly resolve: (value: unknown) => void
  readonly reject: (error: StorageUnavailable) => void
}

/** @param commit resolves when the batch is on disk, or came to nothing. It may reject: then all of it came to nothing */
export function callQueue<Call>(commit: (calls: readonly Call[]) => Promise<BatchAnswer>): CallQueue<Call> {
  let queue: Waiting<Call>[] = []
  let inFlight: Waiting<Call>[] | null = null
  let isScheduled = false
  let lastStart = Number.NEGATIVE_INFINITY
  let lastSize = 0
  let failure: StorageUnavailable | null = null
  let isClosed = false

  function schedule(): void {
    if (isScheduled || inFlight || queue.length === 0) return
    isScheduled = true
    const wait = lastSize < LOAD ? 0 : lastStart + MIN_INTERVAL - performance.now()
    // What this turn of the event loop still brings comes along.
    if (wait <= 0) setImmediate(send)
    else setTimeout(send, wait)
  }

  function send(): void {
    isScheduled = false
    if (failure || queue.length === 0) return
    inFlight = queue.splice(0, MAX_BATCH)
    lastStart = performance.now()
    lastSize = inFlight.length
    const calls = inFlight.map(({ call }) => call)
    commit(calls).then(settle, (error) =>
      settle(nothing(calls, error instanceof Error ? error.message : String(error))),
    )
  }

  function settle({ results, failures, broken }: BatchAnswer): void {
    const answered = inFlight ?? []
    inFlight = null
    const failed = new Map(failures)
    answered.forEach(({ resolve, reject }, index) => {
      const why = failed.get(index)
      if (why === undefined) resolve(results[index])
      else reject(unavailable(why))
    })
    if (broken !== null) fail(unavailable(broken))
    else schedule()
  }

  function fail(error: StorageUnavailable): void {
    failure ??= error
    const lost = [...(inFlight ?? []), ...queue]
    inFlight = null
    queue = []
    for (const { reject } of lost) reject(failure)
  }

  return {
    call(call) {
      if (failure) return Promise.reject(failure)
      if (isClosed) return Promise.reject(unavailable('it is closed'))
      return new Promise((resolve, reject) => {
        queue.push({ call, resolve, reject })
        schedule()
      })
    },
    fail,
    close() {
      isClosed = true
    },
  }
}

/** A batch that came to nothing. */
export function nothing(calls: readonly unknown[], why: string, broken: string | null = null): BatchAnswer {
  return { results: [], failures: calls.map((_, index) => [index, why] as const), broken }
}

export function unavailable(why: string): StorageUnavailable {
  return new StorageUnavailable(`Cannot use the ledger: ${why}. Nothing was allowed that is not on disk.`)
}
