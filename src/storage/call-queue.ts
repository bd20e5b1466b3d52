import { StorageUnavailable } from '#broker/ports.ts'

/**
 * Under load a batch waits for as many calls as the last one had, but for no longer than this after the start of that
 * one (milliseconds): each batch costs a flush of the disk and two changes of threads, however many share it.
 */
const INTERVAL = 3
/** A batch for which so many wait is load. Below it waiting would cost each call more than it saves. */
const LOAD = 4
/** How long calls for which nobody waits are kept for a batch to go with (milliseconds): alone they cost a flush each. */
const PATIENCE = 20
/** Calls in a batch, so that one transaction stays short. */
const MAX_BATCH = 4096

/**
 * What the calls of a batch came to, in their order.
 *
 * @typeParam Why a part of a sentence, or an error that has a whole one
 */
export interface BatchAnswer<Why = string> {
  readonly results: readonly unknown[]
  /** By index: the calls that came to nothing, and why. */
  readonly failures: readonly (readonly [index: number, why: Why])[]
  /** Why nothing may be written any more, until the process starts again. */
  readonly broken: string | null
}

/** Group commit: what waits while a batch is on its way to the disk is the next batch. */
export interface CallQueue<Call> {
  /**
   * @param isPatient whether it may wait a little for others: it is behind no call that came after it
   * @throws {StorageUnavailable} (the promise rejects) unless the call's transaction is on disk
   */
  call(call: Call, isPatient?: boolean): Promise<unknown>
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
export function callQueue<Call>(
  commit: (calls: readonly Call[]) => Promise<BatchAnswer<string | StorageUnavailable>>,
): CallQueue<Call> {
  let queue: Waiting<Call>[] = []
  let inFlight: Waiting<Call>[] | null = null
  let isScheduled = false
  let lastStart = Number.NEGATIVE_INFINITY
  /** Calls of the last batch for which somebody waited. */
  let lastSize = 0
  let failure: StorageUnavailable | null = null
  let isClosed = false
  /** Calls in the queue for which somebody waits. */
  let pressing = 0
  let timer: NodeJS.Timeout | null = null
  /** When the first call came that waits and for which nobody waits. Milliseconds of `performance.now()`. */
  let patientSince = Number.POSITIVE_INFINITY
  /** One timer looks after all of them: else each batch would start and stop one of its own. */
  let isTimed = false

  function schedule(): void {
    if (isScheduled || inFlight || pressing === 0) return
    const rest = lastSize < LOAD || pressing >= lastSize ? 0 : lastStart + INTERVAL - performance.now()
    if (rest > 0) {
      timer ??= setTimeout(sendSoon, rest)
      return
    }
    sendSoon()
  }

  /** What this turn of the event loop still brings comes along. */
  function sendSoon(): void {
    if (isScheduled) return
    isScheduled = true
    setImmediate(send)
  }

  function press(): void {
    pressing++
    schedule()
  }

  function wait(): void {
    if (patientSince === Number.POSITIVE_INFINITY) patientSince = performance.now()
    if (!isTimed) lookAgainIn(PATIENCE)
  }

  function lookAgainIn(milliseconds: number): void {
    isTimed = true
    setTimeout(lookAgain, milliseconds)
  }

  function lookAgain(): void {
    isTimed = false
    if (patientSince === Number.POSITIVE_INFINITY) return
    const left = patientSince + PATIENCE - performance.now()
    if (left > 0) lookAgainIn(left)
    else {
      patientSince = Number.POSITIVE_INFINITY
      press()
    }
  }

  function send(): void {
    isScheduled = false
    if (timer) clearTimeout(timer)
    timer = null
    patientSince = Number.POSITIVE_INFINITY
    if (failure || inFlight || queue.length === 0) return
    inFlight = queue.length > MAX_BATCH ? queue.splice(0, MAX_BATCH) : queue
    if (inFlight === queue) queue = []
    lastStart = performance.now()
    lastSize = pressing
    pressing = queue.length
    const calls = inFlight.map(({ call }) => call)
    commit(calls).then(settle, (error) =>
      settle(nothing(calls, error instanceof Error ? error.message : String(error))),
    )
  }

  function settle({ results, failures, broken }: BatchAnswer<string | StorageUnavailable>): void {
    const answered = inFlight ?? []
    inFlight = null
    for (const [index, why] of failures) answered[index]?.reject(typeof why === 'string' ? unavailable(why) : why)
    // To a promise that was rejected this is nothing.
    for (const [index, { resolve }] of answered.entries()) resolve(results[index])
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
    call(call, isPatient = false) {
      if (failure) return Promise.reject(failure)
      if (isClosed) return Promise.reject(unavailable('it is closed'))
      return new Promise((resolve, reject) => {
        queue.push({ call, resolve, reject })
        if (isPatient) wait()
        else press()
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
  const sentence = `Cannot use the ledger: ${why}. Nothing was allowed that is not on disk.`
  return new StorageUnavailable(sentence, { cause: why })
}
