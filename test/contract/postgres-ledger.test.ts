import { afterAll, beforeAll } from 'vitest'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts'
import { ledgerContract } from './ledger-contract.ts'

let postgres: TestPostgres

beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.stop())

ledgerContract('PostgreSQL', async () => {
  const url = await postgres.createDatabase()
  return { open: () => openPostgresLedger({ url }), remove: async () => {} }
})
