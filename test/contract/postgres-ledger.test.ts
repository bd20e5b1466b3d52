import { afterAll, beforeAll } from 'vitest'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts'
import { ledgerContract } from './ledger-contract.ts'

let postgres: TestPostgres
let database: string
let schemas = 0

beforeAll(async () => {
  postgres = await startPostgres()
  database = await postgres.createDatabase()
})
afterAll(() => postgres.stop())

ledgerContract('PostgreSQL', async () => {
  const schema = `ledger_${++schemas}`
  await postgres.query(database, `CREATE SCHEMA ${schema}`)
  const url = `${database}?options=${encodeURIComponent(`-c search_path=${schema}`)}`
  return {
    open: () => openPostgresLedger({ url }),
    remove: async () => {
      await postgres.query(database, `DROP SCHEMA ${schema} CASCADE`)
    },
  }
})
