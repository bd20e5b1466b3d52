import { parentPort, workerData } from 'node:worker_threads'
import type { BatchAnswer } from '#storage/call-queue.ts'
import type { GrantEnding } from '#storage/grant-transaction.ts'
import { refused, runBatch } from './batch.ts'
import { openDatabase } from './database.ts'
import { faultOf } from './faults.ts'
import { dataVersion, openStore } from './store.ts'
import { transact } from './transaction.ts'
import type { Call } from './verbs.ts'

/**
 * The one writer of this process. Takes batches of calls, answers each with one message. It never retries a write: when
 * the disk or the file is broken it refuses everything until the process starts again.
 */

export interface WorkerData {
  readonly path: string
  /** Milliseconds. */
  readonly busyTimeout: number
}

export interface WorkerMessage {
  /** `null`: the message tells of endings or of a fault, and answers no batch. */
  readonly answer: BatchAnswer | null
  readonly endings: readonly GrantEnding[]
  /** Why nothing will be written any more, until the process starts again. */
  readonly broken: string | null
}

/** How often it looks for endings that another process has written, and for counted refusals. Milliseconds. */
const POLL = 500
/** Pages in the write-ahead log that are not in the database yet, after which they are copied there: 32 MB. */
const CHECKPOINT_PAGES = 8192
/** Batches between two looks at the log. */
const CHECKPOINT_BATCHES = 64

const port = parentPort!
const { path, busyTimeout } = workerData as WorkerData
const database = openDatabase(path, busyTimeout)
const store = openStore(database)
let broken: string | null = null
let batches = 0

port.on('message', (calls: readonly Call[]) => {
  const { answer, endings } = broken === null ? runBatch(store, calls) : refused(calls, broken)
  broken ??= answer.broken
  tell({ answer, endings, broken })
  if (calls.some(([verb]) => verb === 'close')) stop()
  else if (++batches % CHECKPOINT_BATCHES === 0 && broken === null) checkpoint()
})

const poll = setInterval(() => {
  if (broken !== null || !(store.refusals.isOpen || dataVersion(store.sql) !== store.dataVersion)) return
  try {
    const { endings } = transact(store, (transaction) =>
      transaction.writeCountedRefusals({ monotonic: performance.now() }),
    )
    if (endings.length > 0) tell({ answer: null, endings, broken })
  } catch (error) {
    breakIfFatal(error)
  }
}, POLL)

port.postMessage('ready')

function tell(message: WorkerMessage): void {
  port.postMessage(message)
}

/** Copies the log into the database where no reader is in the way. An error of the disk here is one like any other. */
function checkpoint(): void {
  try {
    // NOOP only tells (before SQLite 3.51 it copies, too). The file's size would not do: it never shrinks.
    const { log, checkpointed } = store.sql('PRAGMA wal_checkpoint(NOOP)').get() as unknown as WalSize
    if (log - checkpointed > CHECKPOINT_PAGES) store.sql('PRAGMA wal_checkpoint(PASSIVE)').get()
  } catch (error) {
    breakIfFatal(error)
  }
}

interface WalSize {
  readonly log: number
  readonly checkpointed: number
}

function breakIfFatal(error: unknown): void {
  const fault = faultOf(error instanceof Error && error.cause !== undefined ? error.cause : error)
  if (fault.kind !== 'fatal') return
  broken = fault.name
  tell({ answer: null, endings: [], broken })
}

function stop(): void {
  clearInterval(poll)
  try {
    database.close()
  } finally {
    port.close()
  }
}
