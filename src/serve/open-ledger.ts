import type { Ledger } from '#broker/ports.ts'
import type { Config } from '#config.ts'
import { checkMasterKey, isSealed, masterKey } from '#crypto/master-key.ts'
import { type Sealer, sealer } from '#crypto/seal.ts'
import { type Records, sealedRecords } from '#crypto/sealed-records.ts'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { rethrowForOperator } from './start-error.ts'

/** What a broker opens first, and what a command of the operator opens beside a running one or without. */
export interface OpenLedger {
  readonly ledger: Ledger
  /** The ledger's records, sealed under the master key. */
  readonly records: Records
  readonly seal: Sealer
  close(): Promise<void>
}

/** @throws {StartError} with a sentence for the operator */
export async function openLedger({ storage, masterKey: given }: Config): Promise<OpenLedger> {
  const ledger = await openStorage(storage).catch(rethrowForOperator)
  try {
    const key = await masterKey(given, storage.kind === 'sqlite' ? storage.path : null, await isSealed(ledger))
    const seal = await sealer(key)
    key.fill(0)
    const records = sealedRecords(ledger, seal)
    await checkMasterKey(records)
    return { ledger, records, seal, close: () => ledger.close().finally(() => seal.wipe()) }
  } catch (error) {
    await ledger.close()
    return rethrowForOperator(error)
  }
}

function openStorage(storage: Config['storage']): Promise<Ledger> {
  return storage.kind === 'sqlite' ? openSqliteLedger(storage) : openPostgresLedger(storage)
}
