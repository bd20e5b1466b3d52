import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { StorageUnavailable } from '#broker/ports.ts'

const OTHERS = 0o007
const OTHERS_MAY_WRITE = 0o002
const STICKY = 0o1000

/**
 * Makes sure that the database file is there and nobody else's to read: creates the folder (0700) and the file (0600).
 * SQLite gives its `-wal` and `-shm` files the mode of the file beside them.
 *
 * @throws {StorageUnavailable} when the file can be read or replaced by other users of the machine, cannot be made, or
 *   was emptied
 */
export function preparePrivateFile(path: string): void {
  const folder = dirname(path)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    createFile(path, folder)
  } catch (cause) {
    throw new StorageUnavailable(
      `Cannot open the ledger: ${path} cannot be created or opened (${codeOf(cause)}). See that ${folder} is a folder with room in which the user that runs the broker may write, or name another place in storage:.`,
      { cause },
    )
  }
  const log = `${path}-wal`
  if (statSync(path).size === 0 && existsSync(log) && statSync(log).size > 0)
    throw new StorageUnavailable(
      `Cannot open the ledger: ${path} is empty and ${log} is not, so that what was spent is lost. Put a backup of both back as docs/storage.md says; only who wants to begin anew removes them.`,
    )
  // Windows tells nothing with these bits.
  if (process.platform === 'win32') return
  const folderMode = statSync(folder).mode
  if (folderMode & OTHERS_MAY_WRITE && !(folderMode & STICKY))
    throw new StorageUnavailable(
      `Cannot open the ledger: every user of this machine may replace files in ${folder}. Run \`chmod o-w\` on it.`,
    )
  if (statSync(path).mode & OTHERS)
    throw new StorageUnavailable(
      `Cannot open the ledger: every user of this machine may read or write ${path}. Run \`chmod 600\` on it.`,
    )
}

/** The name of a new file is on disk before anything depends on it. */
function createFile(path: string, folder: string): void {
  let file: number
  try {
    file = openSync(path, 'ax', 0o600)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    throw error
  }
  closeSync(file)
  chmodSync(path, 0o600)
  flushFolder(folder)
}

/** Makes the names in a folder last. */
export function flushFolder(folder: string): void {
  if (process.platform === 'win32') return
  const entry = openSync(folder, 'r')
  try {
    fsyncSync(entry)
  } finally {
    closeSync(entry)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
