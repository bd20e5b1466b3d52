import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StorageUnavailable } from '#broker/ports.ts'
import { faultOf } from './faults.ts'
import { flushFolder } from './file.ts'
import { migrate, refuseForeign } from './migrate.ts'

/** Set when opened, then read back: a build or a file system that answers otherwise does not keep our promises. */
const SETTINGS: readonly (readonly [name: string, value: string, expected: string | number])[] = [
  ['journal_mode', 'WAL', 'wal'],
  // FULL: the log is flushed by each commit. NORMAL would lose commits in a power cut.
  ['synchronous', 'FULL', 2],
  ['foreign_keys', 'ON', 1],
  // macOS only: its fsync leaves data in the drive's cache.
  ['fullfsync', 'ON', 1],
  ['checkpoint_fullfsync', 'ON', 1],
  ['trusted_schema', 'OFF', 0],
  // SQLite would keep an error of its own checkpoints to itself; the worker makes them.
  ['wal_autocheckpoint', '0', 0],
]

/**
 * Opens the ledger's database and brings its tables up to date.
 *
 * @param busyTimeout how long a transaction of another process is waited for, in milliseconds
 * @throws {StorageUnavailable} with a sentence for the operator
 */
export function openDatabase(path: string, busyTimeout: number): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    refuseForeign(path, { timeout: busyTimeout })
    database = new DatabaseSync(path, { timeout: busyTimeout })
    for (const [name, value, expected] of SETTINGS) {
      database.exec(`PRAGMA ${name} = ${value}`)
      const actual = Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
      if (actual !== expected)
        throw new StorageUnavailable(
          `Cannot open the ledger ${path}: expected ${name} to be ${expected}, got ${actual}. ` +
            'Put the file on a local disk; network file systems cannot hold it.',
        )
    }
    migrate(database, path)
    // SQLite flushes the name of its log, too, but takes no notice when that fails.
    flushFolder(dirname(path))
    return database
  } catch (cause) {
    if (database?.isOpen) database.close()
    if (cause instanceof StorageUnavailable) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new StorageUnavailable(`Cannot open the ledger ${path}: ${why}. ${remedyFor(faultOf(cause).name)}`, { cause })
  }
}

/** Never a new file in place of one that is there: it would have forgotten what was spent. */
function remedyFor(fault: string): string {
  switch (fault) {
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return 'Name the file of the ledger in storage:, or put a backup back as docs/storage.md says.'
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_READONLY':
      return 'Let the user that runs the broker read and write the file and its folder.'
    case 'SQLITE_BUSY':
      return 'End the other process that writes to it.'
    case 'SQLITE_FULL':
      return 'Make room on its disk.'
    default:
      return 'Look at its disk; docs/storage.md says what can be done about faults.'
  }
}
