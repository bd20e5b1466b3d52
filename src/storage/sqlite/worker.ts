import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { GrantEnding } from '#storage/grant-transaction.ts'
import { refused, runBatch } from './batch.ts'
import { checkpointer } from './checkpointer.ts'
import { openDatabase } from './database.ts'
import { type Fault, faultOf } from './faults.ts'
import { type PackedAnswer, packAnswer } from './packed-answer.ts'
import { type PackedBatch, unpackBatch } from './packed-batch.ts'
import { dataVersion, openStore } from './store.ts'
import { transact } from './transaction.ts'

/**
 * The one writer of this process. Takes batches of calls, answers each with one message. It never retries a write: when
 * the disk or the file is broken it refuses everything until the process starts again.
 */

export interface WorkerData {
  readonly path: string
  /** Milliseconds. */
  readonly busyTimeout: number
  /** By which batches come and their answers go. */
  readonly port: MessagePort
}

/**
 * `answer`: `null` when the message tells of endings or of a fault, and answers no batch. `broken`: why nothing will be
 * written any more, until the process starts again.
 */
export type WorkerMessage = readonly [
  answer: PackedAnswer | null,
  endings: readonly GrantEnding[],
  broken: string | null,
]

/** How often it looks for endings that another process has written, and for counted refusals. Milliseconds. */
const POLL = 500
const { path, busyTimeout, port } = workerData as WorkerData
const database = openDatabase(path, busyTimeout)
const store = openStore(database)
const log = checkpointer(store.sql, { path, busyTimeout }, breakIfFatal)
let broken: string | null = null

port.on('message', (batch: PackedBatch) => {
  const calls = unpackBatch(batch)
  const { answer, endings } = broken === null ? runBatch(store, calls) : refused(calls, broken)
  broken ??= answer.broken
  tell([packAnswer(answer), endings, broken])
  if (calls.some(([verb]) => verb === 'close')) stop()
  else if (broken === null) keepLogShort()
})

const poll = setInterval(() => {
  if (broken !== null || !(store.refusals.isOpen || dataVersion(store.sql) !== store.dataVersion)) return
  try {
    const { endings } = transact(store, (transaction) =>
      transaction.writeCountedRefusals({ monotonic: performance.now() }),
    )
    if (endings.length > 0) tell([null, endings, broken])
  } catch (error) {
    breakBy(error)
  }
}, POLL)

parentPort!.postMessage('ready')

function tell(message: WorkerMessage): void {
  port.postMessage(message)
}

function keepLogShort(): void {
  try {
    log.look()
  } catch (error) {
    breakBy(error)
  }
}

function breakBy(error: unknown): void {
  breakIfFatal(faultOf(error instanceof Error && error.cause !== undefined ? error.cause : error))
}

function breakIfFatal({ kind, name }: Fault): void {
  if (kind !== 'fatal') return
  broken = name
  tell([null, [], broken])
}

async function stop(): Promise<void> {
  clearInterval(poll)
  await log.close()
  try {
    database.close()
  } finally {
    port.close()
  }
}
