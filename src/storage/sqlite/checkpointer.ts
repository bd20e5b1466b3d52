import { Worker } from 'node:worker_threads'
import type { CopierData, CopierMessage } from './copier.ts'
import type { Fault } from './faults.ts'
import type { Sql } from './store.ts'

/** Pages in the write-ahead log that are not in the database yet, after which they are copied there: 8 MB. */
const PAGES = 2048
/** Pages after which the writer copies them itself, however long that takes: the log must not grow without end. 128 MB. */
const TOO_MANY_PAGES = 16 * PAGES
/** Transactions between two looks at the log. */
const TRANSACTIONS = 64

/**
 * Keeps the write-ahead log short. Copying it into the database takes tens of milliseconds, in which no charge could be
 * committed, so a second thread does most of it beside the writer; the writer copies what came meanwhile, since only a
 * log that was copied to its end begins again.
 */
export interface Checkpointer {
  /**
   * To be called after each transaction.
   *
   * @throws what SQLite throws: an error of the disk here is one like any other
   */
  look(): void
  /** Resolves when the second thread has closed the file. */
  close(): Promise<void>
}

/** @param failed called with what SQLite said when the second thread could not copy */
export function checkpointer(sql: Sql, data: CopierData, failed: (fault: Fault) => void): Checkpointer {
  let copier: Worker | null = null
  let isCopying = false
  let isCopied = false
  let transactions = 0

  /** Started when there is work for it: most brokers never have so much. */
  function started(): Worker {
    // Nothing of the environment is for it.
    const worker = new Worker(new URL('./copier.ts', import.meta.url), { workerData: data, execArgv: [], env: {} })
    worker.on('message', ({ fault }: CopierMessage) => {
      isCopying = false
      isCopied = fault === null
      if (fault) failed(fault)
    })
    // Another one is started for the next copy; until one comes through, the writer copies what is too much.
    worker.on('error', () => {})
    worker.once('exit', () => {
      isCopying = false
      copier = null
    })
    return worker
  }

  return {
    look() {
      if (!isCopied && ++transactions % TRANSACTIONS !== 0) return
      // NOOP only tells (before SQLite 3.51 it copies, too). The file's size would not do: it never shrinks.
      const { log, checkpointed } = sql('PRAGMA wal_checkpoint(NOOP)').get() as unknown as WalSize
      const pages = log - checkpointed
      if (pages > TOO_MANY_PAGES || (isCopied && pages <= PAGES)) sql('PRAGMA wal_checkpoint(PASSIVE)').get()
      else if (pages > PAGES && !isCopying) {
        isCopying = true
        copier ??= started()
        copier.postMessage('copy')
      }
      isCopied = false
    },
    async close() {
      if (!copier) return
      const exited = new Promise((resolve) => copier?.once('exit', resolve))
      copier.postMessage('close')
      await exited
    },
  }
}

interface WalSize {
  readonly log: number
  readonly checkpointed: number
}
