import { constants } from 'node:fs'
import { type FileHandle, link, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomBytes } from './digest.ts'
import { MASTER_KEY_BYTES, SealError } from './seal.ts'
import type { Records } from './sealed-records.ts'

const CHECK_RECORD = 'master-key-check'
const CHECK_VALUE = 'till'
const BASE64 = /^[A-Za-z0-9+/]{43}=$/

/** A master key that cannot be used. The message is for the operator and holds nothing of the key. */
export class MasterKeyError extends Error {
  override readonly name = 'MasterKeyError'
}

/**
 * The master key: the one that was given; else the one in `master.key` beside the database, made at first start with
 * mode 0600.
 *
 * @param given 32 bytes from the configuration, or `null`
 * @param databasePath the SQLite file; `null` when there is none, and a key has to be given
 * @param isInUse whether the database was written with a key already ({@link isSealed}), so that a new one would not do
 * @returns 32 bytes; wipe them after use
 * @throws {MasterKeyError} when the file is readable by others, is not a regular file, or does not hold a key; or is gone
 */
export async function masterKey(
  given: Uint8Array | null,
  databasePath: string | null,
  isInUse = false,
): Promise<Uint8Array> {
  if (given) {
    if (given.length === MASTER_KEY_BYTES) return Uint8Array.from(given)
    throw new MasterKeyError(
      `Cannot use master_key: expected ${MASTER_KEY_BYTES} bytes, got ${given.length}. Make one with \`openssl rand -base64 32\`.`,
    )
  }
  if (databasePath === null)
    throw new MasterKeyError(
      'Cannot start without master_key: this storage has no directory to keep one in. Make one with `openssl rand -base64 32` and name it, such as master_key: env:TILL_MASTER_KEY.',
    )
  const path = masterKeyPath(databasePath)
  const present = await readKeyFile(path)
  if (present) return present
  if (isInUse)
    throw new MasterKeyError(
      `Cannot find the master key file ${path}, and the database beside it was written with a key. Restore the file from a backup, or name the key with master_key.`,
    )
  await createKeyFile(path)
  const made = await readKeyFile(path)
  if (made) return made
  throw new MasterKeyError(`Cannot find the master key file ${path}: it was removed while the broker started.`)
}

/** Where the key of a database is kept that was given none. */
export function masterKeyPath(databasePath: string): string {
  return join(dirname(databasePath), 'master.key')
}

/**
 * Makes the file with a new key unless there is one. The key is whole before it gets its name, so that neither a crash
 * nor another process that starts meanwhile finds half of it; whoever comes second finds the first one's.
 */
async function createKeyFile(path: string): Promise<void> {
  const draft = `${path}.${Buffer.from(randomBytes(8)).toString('hex')}`
  try {
    await writeKeyFile(draft)
    await link(draft, path).catch((error) => {
      if (errorCode(error) !== 'EEXIST') throw error
    })
    await syncDirectory(dirname(path))
  } catch (error) {
    throw new MasterKeyError(
      `Cannot make the master key file ${path} (${errorCode(error)}). Make its directory writable for the broker, or name a key with master_key.`,
    )
  } finally {
    await rm(draft, { force: true })
  }
}

async function writeKeyFile(path: string): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  const key = randomBytes(MASTER_KEY_BYTES)
  try {
    await file.writeFile(`${Buffer.from(key).toString('base64')}\n`)
    await file.sync()
  } finally {
    key.fill(0)
    await file.close()
  }
}

/** @returns `null` when there is no such file */
async function readKeyFile(path: string): Promise<Uint8Array | null> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw new MasterKeyError(
      `Cannot read the master key file ${path} (${errorCode(error)}). It must be a regular file that the broker's user owns, with mode 0600.`,
    )
  }
  try {
    const stat = await file.stat()
    const mode = stat.mode & 0o777
    if (!stat.isFile() || (mode & 0o077) !== 0)
      throw new MasterKeyError(
        `Cannot use the master key file ${path}: expected a regular file with mode 0600, got mode 0${mode.toString(8)}. Others may have read it: run \`chmod 600\` on it, and replace the key if they may have.`,
      )
    const text = stat.size > 64 ? '' : (await file.readFile('latin1')).trim()
    if (!BASE64.test(text))
      throw new MasterKeyError(
        `Cannot use the master key file ${path}: expected ${MASTER_KEY_BYTES} bytes as base64. Restore it from a backup; without it the sealed records of this database are lost.`,
      )
    return new Uint8Array(Buffer.from(text, 'base64'))
  } finally {
    await file.close()
  }
}

/** The name of a new file is durable only when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * A start-up self-check: a record that only the right master key opens, written at first start. It fails before
 * anything is sealed under a key that the rest of the database does not know.
 *
 * @param records sealed under the master key
 * @throws {SealError} when the master key is not the one that this database was written with
 */
export async function checkMasterKey(records: Records): Promise<void> {
  const value = await records.createRecord(CHECK_RECORD, Buffer.from(CHECK_VALUE))
  if (Buffer.from(value).toString() !== CHECK_VALUE)
    throw new SealError(`Cannot use this database: its record "${CHECK_RECORD}" holds another value.`)
}

/** Whether a database was written with a master key. @param records as they are stored, sealed */
export async function isSealed(records: Pick<Records, 'readRecord'>): Promise<boolean> {
  return (await records.readRecord(CHECK_RECORD)) !== null
}

const errorCode = (error: unknown) => (error as NodeJS.ErrnoException).code ?? 'unknown fault'
