import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { type Fault, faultOf } from './faults.ts'

/**
 * The thread that copies the write-ahead log into the database beside the writer. It waits for nobody and holds nobody
 * up (`PASSIVE`): what the writer appends meanwhile is left to the next time.
 */

export interface CopierData {
  readonly path: string
  /** Milliseconds. */
  readonly busyTimeout: number
}

export interface CopierMessage {
  /** Why it could not copy. */
  readonly fault: Fault | null
}

const port = parentPort!
const { path, busyTimeout } = workerData as CopierData
const file = pathToFileURL(path)
// The file is there; where it was moved away, an empty one in its place would only hide that.
file.searchParams.set('mode', 'rw')
const database = new DatabaseSync(file, { timeout: busyTimeout })
// As the writer has it: the log is flushed before a page of it is copied, the database before the log may begin again.
database.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
database.exec('PRAGMA wal_autocheckpoint = 0')
const copy = database.prepare('PRAGMA wal_checkpoint(PASSIVE)')

port.on('message', (ask: 'copy' | 'close') => {
  if (ask === 'close') {
    database.close()
    port.close()
  } else port.postMessage({ fault: copied() } satisfies CopierMessage)
})

function copied(): Fault | null {
  try {
    copy.get()
    return null
  } catch (error) {
    return faultOf(error)
  }
}
