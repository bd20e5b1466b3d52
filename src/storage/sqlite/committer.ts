import { MessageChannel, Worker } from 'node:worker_threads'
import { StorageUnavailable } from '#broker/ports.ts'
import { type BatchAnswer, callQueue, unavailable } from '#storage/call-queue.ts'
import type { GrantEnding } from '#storage/grant-transaction.ts'
import { unpackAnswer } from './packed-answer.ts'
import { packBatch } from './packed-batch.ts'
import type { Arguments, Call, Result, Verb } from './verbs.ts'
import type { WorkerData, WorkerMessage } from './worker.ts'

/** The worker thread behind a queue. */
export interface Committer {
  /** @throws {StorageUnavailable} (the promise rejects) unless the call's transaction is on disk */
  call<V extends Verb>(verb: V, ...args: Arguments<V>): Promise<Result<V>>
  /** The same for what nobody waits for: it goes with the next batch, or with one of its own a little later. */
  callPatiently<V extends Verb>(verb: V, ...args: Arguments<V>): Promise<Result<V>>
  /** Commits what waits, then ends the worker. Everything after that is rejected. */
  close(): Promise<void>
}

/** Starts the worker; rejects with its sentence when it cannot open the database. */
export async function startCommitter(
  data: Omit<WorkerData, 'port'>,
  onEndings: (endings: readonly GrantEnding[]) => void,
): Promise<Committer> {
  // Of their own: what comes by the worker's own port passes through more of Node on its way.
  const { port1: port, port2: workersPort } = new MessageChannel()
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { ...data, port: workersPort } satisfies WorkerData,
    transferList: [workersPort],
    execArgv: [],
    env: compileCache(),
  })
  const queue = callQueue<Call>(
    (calls) =>
      new Promise((resolve) => {
        answer = resolve
        // Something in it that cannot cross a thread throws here: the batch never left.
        port.postMessage(packBatch(calls))
      }),
  )
  let answer: ((answer: BatchAnswer) => void) | null = null
  let isClosed = false
  let closing: Promise<void> | null = null

  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve())
    worker.once('error', (error) => reject(unavailableFrom(error)))
    worker.once('exit', () => reject(unavailable('its thread ended')))
  })
  port.on('message', ([packed, endings, broken]: WorkerMessage) => {
    if (endings.length > 0) onEndings(endings)
    if (packed) answer?.(unpackAnswer(packed))
    else if (broken !== null) queue.fail(unavailable(broken))
  })
  port.on('messageerror', (error) => queue.fail(unavailableFrom(error)))
  worker.on('error', (error) => queue.fail(unavailableFrom(error)))
  // The last answers may still be on their way when the thread has ended: the port closes behind them.
  const heardAll = new Promise<void>((resolve) => port.once('close', () => resolve()))
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    .then(() => heardAll)
    .then(() => queue.fail(unavailable(isClosed ? 'it is closed' : 'its thread ended')))

  const call = <V extends Verb>(verb: V, ...args: Arguments<V>) => queue.call([verb, ...args]) as Promise<Result<V>>

  const callPatiently = <V extends Verb>(verb: V, ...args: Arguments<V>) =>
    queue.call([verb, ...args], true) as Promise<Result<V>>

  async function close(): Promise<void> {
    const last = call('close')
    isClosed = true
    queue.close()
    await last.catch(() => worker.terminate())
    await ended
  }

  return {
    call,
    callPatiently,
    close() {
      closing ??= close()
      return closing
    },
  }
}

function unavailableFrom(error: unknown): StorageUnavailable {
  // A sentence for the operator crosses the thread as an error of that name.
  if (error instanceof Error && error.name === 'StorageUnavailable') return new StorageUnavailable(error.message)
  return unavailable(error instanceof Error ? error.message : String(error))
}

/** Nothing of the environment is for the thread, but where Node keeps what it compiled, when the operator says so. */
function compileCache(): NodeJS.ProcessEnv {
  const { NODE_COMPILE_CACHE } = process.env
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }
}
