import { existsSync, statSync } from 'node:fs'
import type { Ledger } from '#broker/ports.ts'
import type { Config } from '#config.ts'
import { checkMasterKey, isSealed, masterKey, masterKeyPath } from '#crypto/master-key.ts'
import { type Sealer, sealer } from '#crypto/seal.ts'
import { type Records, sealedRecords } from '#crypto/sealed-records.ts'
import { isSqliteLedgerThere, openSqliteLedger, type SharedWriter } from '#storage/sqlite-ledger.ts'
import { rethrowForOperator, StartError } from './start-error.ts'

/** What a broker opens first, and what a command of the operator opens beside a running one or without. */
export interface OpenLedger {
  readonly ledger: Ledger
  /** The ledger's records, sealed under the master key. */
  readonly records: Records
  readonly seal: Sealer
  /** For ledgers of other processes of this broker; `null`: each commits for itself, since the database is a server. */
  readonly writer: SharedWriter | null
  close(): Promise<void>
}

/**
 * @param theirs the writer of the process that commits for this one; SQLite only
 * @throws {StartError} with a sentence for the operator
 */
export async function openLedger({ storage, masterKey: given }: Config, theirs?: SharedWriter): Promise<OpenLedger> {
  if (storage.kind === 'sqlite' && given === null) refuseEmptied(storage.path)
  const { ledger, writer } = await openStorage(storage, theirs).catch(rethrowForOperator)
  try {
    const key = await masterKey(given, storage.kind === 'sqlite' ? storage.path : null, await isSealed(ledger))
    const seal = await sealer(key)
    key.fill(0)
    const records = sealedRecords(ledger, seal)
    await checkMasterKey(records)
    return { ledger, records, seal, writer, close: () => ledger.close().finally(() => seal.wipe()) }
  } catch (error) {
    await ledger.close()
    return rethrowForOperator(error)
  }
}

/** The key is made when the tables are there: beside an empty file it says that there were some. */
function refuseEmptied(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.size !== 0 || !existsSync(masterKeyPath(path))) return
  throw new StartError(
    `Cannot open the ledger: ${path} is empty, and the master key beside it says that it was not, so that what was spent is lost. Put a backup back as docs/storage.md says; only who wants to begin anew removes both.`,
  )
}

/**
 * As {@link openLedger} where there is a ledger; makes none.
 *
 * @throws {StartError} with a sentence for the operator, when there is none too
 */
export async function openLedgerThatIsThere(config: Config): Promise<OpenLedger> {
  const { storage } = config
  if (
    storage.kind === 'sqlite'
      ? isSqliteLedgerThere(storage.path)
      : await (await postgres()).isPostgresLedgerThere(storage).catch(rethrowForOperator)
  )
    return openLedger(config)
  const place = storage.kind === 'sqlite' ? `at ${storage.path}` : 'in the database that storage: names'
  throw new StartError(
    `Cannot open the ledger: there is none ${place}. Name the place of yours in storage:, or make a new one with \`till serve\`.`,
  )
}

async function openStorage(
  storage: Config['storage'],
  theirs?: SharedWriter,
): Promise<Pick<OpenLedger, 'ledger' | 'writer'>> {
  if (storage.kind === 'postgresql') {
    const { openPostgresLedger } = await postgres()
    return { ledger: await openPostgresLedger(storage), writer: null }
  }
  const ledger = await openSqliteLedger({ path: storage.path, ...(theirs && { writer: theirs }) })
  return { ledger, writer: ledger.writer }
}

/** Loaded where it is used: a ledger on SQLite, and every command on one, opens without waiting for it. */
function postgres() {
  return import('#storage/postgres-ledger.ts')
}
