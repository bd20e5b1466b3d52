import type { Ledger } from '#broker/ports.ts'
import type { Sealer } from './seal.ts'

/** Where records are kept, by name. */
export type Records = Pick<Ledger, 'readRecord' | 'writeRecord' | 'createRecord'>

/**
 * The same records, sealed under their names on the way in and opened on the way out.
 *
 * Its methods reject with {@link SealError} for a record that does not open.
 */
export function sealedRecords(records: Records, sealer: Sealer): Records {
  return {
    async readRecord(name) {
      const sealed = await records.readRecord(name)
      return sealed && sealer.open(name, sealed)
    },
    async writeRecord(name, value, act) {
      await records.writeRecord(name, sealer.seal(name, value), act)
    },
    async createRecord(name, value) {
      return sealer.open(name, await records.createRecord(name, sealer.seal(name, value)))
    },
  }
}
