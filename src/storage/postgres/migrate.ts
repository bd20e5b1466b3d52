import { readdirSync, readFileSync } from 'node:fs'
import { StorageUnavailable } from '#broker/ports.ts'
import { isServerRefusal } from './faults.ts'
import type { Session } from './session.ts'

const FOLDER = new URL('../migrations/postgres/', import.meta.url)
/** Names the lock that replicas which start together wait for: `TILL` in ASCII. */
const LOCK = 0x54494c4c

/**
 * Applies the migrations that the database has not seen, in the order of their numbers, all of them or none. Replicas
 * that start together wait for each other; where nothing is missing no right to make tables is needed.
 *
 * @throws {StorageUnavailable} when a newer Till has made changes that this one cannot work with
 */
export async function migrate(session: Session): Promise<void> {
  const migrations = readdirSync(FOLDER)
    .filter((file) => /^\d{4}-.+\.sql$/.test(file))
    .sort()
  await session.script(`BEGIN; SELECT pg_advisory_xact_lock(${LOCK})`)
  try {
    const [state] = (await hasTables(session))
      ? await session.query('SELECT max(number) AS applied, max(works_since) AS works_since FROM till_migrations')
      : []
    const applied = Number(state?.['applied'] ?? 0)
    if (Number(state?.['works_since'] ?? 0) > migrations.length)
      throw new StorageUnavailable(
        `Cannot open the ledger: a newer Till has changed its tables (migration ${applied}, this one knows ${migrations.length}). Update Till.`,
      )
    for (const file of migrations.slice(applied)) await session.script(readFileSync(new URL(file, FOLDER), 'utf8'))
    await session.query('COMMIT')
  } catch (error) {
    await session.query('ROLLBACK').catch(() => {})
    throw error instanceof StorageUnavailable ? error : migrationFault(error)
  }
}

/** Whether any migration was applied to the database. */
export async function hasTables(session: Session): Promise<boolean> {
  const [found] = await session.query(`SELECT to_regclass('till_migrations') IS NOT NULL AS is_there`)
  return found?.['is_there'] === true
}

function migrationFault(cause: unknown): StorageUnavailable {
  const why = isServerRefusal(cause) ? `${cause.message} (${cause.code})` : 'the connection was lost'
  return new StorageUnavailable(
    `Cannot open the ledger: its tables cannot be made: ${why}. Give Till a database of its own in which its role may create tables.`,
    { cause },
  )
}
