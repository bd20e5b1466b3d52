import { afterAll, beforeAll } from 'vitest'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts'
import { asServingRole, SERVING_ROLE, servingGrants } from '#test/support/serving-role.ts'
import { ledgerContract } from './ledger-contract.ts'

let postgres: TestPostgres
let database: string
let schemas = 0

beforeAll(async () => {
  // T0 is on the day before there. Days are of UTC, wherever the server is.
  postgres = await startPostgres({ timezone: 'America/Los_Angeles' })
  database = await postgres.createDatabase()
  await postgres.query(database, `CREATE ROLE ${SERVING_ROLE} LOGIN`)
})
afterAll(() => postgres.stop())

// With no more rights than docs/storage.md gives: a statement that needs another one fails here.
ledgerContract('PostgreSQL', async () => {
  const schema = `ledger_${++schemas}`
  await postgres.query(database, `CREATE SCHEMA ${schema}; GRANT USAGE ON SCHEMA ${schema} TO ${SERVING_ROLE}`)
  const url = `${database}?options=${encodeURIComponent(`-c search_path=${schema}`)}`
  await (await openPostgresLedger({ url })).close()
  const { always, withRetention } = servingGrants()
  await postgres.query(url, always + withRetention)
  return {
    open: () => openPostgresLedger({ url: asServingRole(url) }),
    remove: async () => {
      await postgres.query(database, `DROP SCHEMA ${schema} CASCADE`)
    },
  }
})
