import { readdirSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { StorageUnavailable } from '#broker/ports.ts'
import { faultOf } from './faults.ts'

const FOLDER = new URL('../migrations/sqlite/', import.meta.url)
/** `TILL` in ASCII: the head of the file tells whose it is. */
const APPLICATION_ID = 0x54494c4c

/**
 * Looks whose the file is before anything of it is changed, its journal mode and its write-ahead log included.
 *
 * @param options `timeout`: how long another process is waited for, in milliseconds
 * @throws {StorageUnavailable} when the file is another program's, or a newer Till's
 */
export function refuseForeign(path: string, options: { readonly timeout: number }): void {
  const database = new DatabaseSync(path, { ...options, readOnly: true })
  try {
    // Of one moment: another process may be making its tables.
    database.exec('BEGIN')
    appliedMigrations(database, path)
  } catch (error) {
    // What a crash left unfinished cannot be undone by who only reads. It is looked at again before it is written to.
    if (faultOf(error).name !== 'SQLITE_READONLY') throw error
  } finally {
    database.close()
  }
}

/**
 * Applies the migrations that the file has not seen, in the order of their numbers, all of them or none. Processes that
 * start together wait for each other.
 *
 * @param path of the file, for what is said to the operator
 * @throws {StorageUnavailable} when the file is another program's, or a newer Till's
 */
export function migrate(database: DatabaseSync, path: string): void {
  const migrations = knownMigrations()
  database.exec('BEGIN IMMEDIATE')
  try {
    const applied = appliedMigrations(database, path)
    for (const file of migrations.slice(applied)) database.exec(readFileSync(new URL(file, FOLDER), 'utf8'))
    if (applied < migrations.length) {
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
      database.exec(`PRAGMA user_version = ${migrations.length}`)
    }
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

function knownMigrations(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((file) => /^\d{4}-.+\.sql$/.test(file))
    .sort()
}

function appliedMigrations(database: DatabaseSync, path: string): number {
  const applied = pragma(database, 'user_version')
  const id = pragma(database, 'application_id')
  const isNew = applied === 0 && id === 0 && database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined
  if (!isNew && !(applied > 0 && id === APPLICATION_ID))
    throw new StorageUnavailable(
      `Cannot open the ledger ${path}: it is the database of another program. Name the file of the ledger in storage:; one that is not there is made.`,
    )
  const known = knownMigrations().length
  if (applied > known)
    throw new StorageUnavailable(
      `Cannot open the ledger ${path}: a newer Till has written it (migration ${applied}, this one knows ${known}). Update Till.`,
    )
  return applied
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0])
}
