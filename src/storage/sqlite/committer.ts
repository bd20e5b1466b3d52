import { Worker } from 'node:worker_threads'
import { StorageUnavailable } from '#broker/ports.ts'
import type { BatchAnswer } from './batch.ts'
import type { GrantEnding } from './foreign-endings.ts'
import type { Arguments, Call, Result, Verb } from './verbs.ts'
import type { WorkerData, WorkerMessage } from './worker.ts'

/** Under load, batches start at least this far apart (milliseconds): more calls share a flush of the disk. */
const MIN_INTERVAL = 1
/** A batch of this many calls is load. Below it waiting would cost each call more than it saves. */
const LOAD = 8
/** Calls in a batch, so that one transaction stays short. */
const MAX_BATCH = 4096

/** The worker thread behind a queue. What waits while a batch is on its way to the disk is the next batch. */
export interface Committer {
  /** @throws {StorageUnavailable} (the promise rejects) unless the call's transaction is on disk */
  call<V extends Verb>(verb: V, ...args: Arguments<V>): Promise<Result<V>>
  /** Commits what waits, then ends the worker. Everything after that is rejected. */
  close(): Promise<void>
}

interface Waiting {
  readonly call: Call
  readonly resolve: (value: never) => void
  readonly reject: (error: StorageUnavailable) => void
}

/** Starts the worker; rejects with its sentence when it cannot open the database. */
export async function startCommitter(
  data: WorkerData,
  onEndings: (endings: readonly GrantEnding[]) => void,
): Promise<Committer> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data, execArgv: [], env: {} })
  let queue: Waiting[] = []
  let inFlight: Waiting[] | null = null
  let isScheduled = false
  let lastStart = Number.NEGATIVE_INFINITY
  let lastSize = 0
  let failure: StorageUnavailable | null = null
  let isClosed = false
  let closing: Promise<void> | null = null

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
    try {
      worker.postMessage(inFlight.map(({ call }) => call))
    } catch (error) {
      // Something in it cannot cross a thread. The batch never left.
      settle(inFlight, { results: [], failures: inFlight.map((_, index) => [index, String(error)]), broken: null })
      schedule()
    }
  }

  function receive({ answer, endings, broken }: WorkerMessage): void {
    if (endings.length > 0) onEndings(endings)
    if (answer && inFlight) settle(inFlight, answer)
    if (broken !== null) fail(unavailable(broken))
    else schedule()
  }

  function settle(answered: readonly Waiting[], { results, failures }: BatchAnswer): void {
    inFlight = null
    const failed = new Map(failures)
    answered.forEach(({ resolve, reject }, index) => {
      const why = failed.get(index)
      if (why === undefined) resolve(results[index] as never)
      else reject(unavailable(why))
    })
  }

  function fail(error: StorageUnavailable): void {
    failure ??= error
    const lost = [...(inFlight ?? []), ...queue]
    inFlight = null
    queue = []
    for (const { reject } of lost) reject(failure)
  }

  function call<V extends Verb>(verb: V, ...args: Arguments<V>): Promise<Result<V>> {
    if (failure) return Promise.reject(failure)
    if (isClosed) return Promise.reject(unavailable('it is closed'))
    return new Promise((resolve, reject) => {
      queue.push({ call: [verb, ...args], resolve: resolve as (value: never) => void, reject })
      schedule()
    })
  }

  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve())
    worker.once('error', (error) => reject(unavailableFrom(error)))
    worker.once('exit', () => reject(unavailable('its thread ended')))
  })
  worker.on('message', receive)
  worker.on('messageerror', (error) => fail(unavailableFrom(error)))
  worker.on('error', (error) => fail(unavailableFrom(error)))
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  worker.on('exit', () => fail(unavailable(isClosed ? 'it is closed' : 'its thread ended')))

  async function close(): Promise<void> {
    const last = call('close')
    isClosed = true
    await last.catch(() => worker.terminate())
    await exited
  }

  return {
    call,
    close() {
      closing ??= close()
      return closing
    },
  }
}

function unavailable(why: string): StorageUnavailable {
  return new StorageUnavailable(`Cannot use the ledger: ${why}. Nothing was allowed that is not on disk.`)
}

function unavailableFrom(error: unknown): StorageUnavailable {
  // A sentence for the operator crosses the thread as an error of that name.
  if (error instanceof Error && error.name === 'StorageUnavailable') return new StorageUnavailable(error.message)
  return unavailable(error instanceof Error ? error.message : String(error))
}
