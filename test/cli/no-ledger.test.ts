import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts'
import { CONFIG, configured } from './folder.ts'
import { type Run, runTill } from './run-till.ts'

const NO_KEY = 'k_0000000000000000000000'

let postgres: TestPostgres
beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.stop())

function isRefused(run: Run): void {
  expect(run).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('there is none') })
  expect(run.stderr.trimEnd().split('\n')).toHaveLength(1)
}

test.each([
  [['keys', 'list']],
  [['keys', 'show', NO_KEY]],
  [['keys', 'revoke', NO_KEY]],
  [['policy', 'explain', 'd_nothing']],
  [['audit', 'verify']],
  [['audit', 'export']],
  [['audit', 'tail']],
  [['receipt', 'verify', 'receipt.jws']],
  [['credential', 'list']],
  [['credential', 'rotate', 'groq']],
])('till %j refuses a ledger that is not there, and makes none', async (args) => {
  const cwd = configured()
  writeFileSync(join(cwd, 'receipt.jws'), 'e30.e30.e30\n')
  const before = readdirSync(cwd)
  isRefused(await runTill(args, { cwd, input: 'gsk_0123456789abcdef' }))
  expect(readdirSync(cwd)).toEqual(before)
})

test('a file without a byte is no ledger', async () => {
  const cwd = configured()
  writeFileSync(join(cwd, 'till.yaml'), `${CONFIG}storage: sqlite:./till.db\n`)
  writeFileSync(join(cwd, 'till.db'), '', { mode: 0o600 })
  isRefused(await runTill(['keys', 'list'], { cwd }))
  expect(readdirSync(cwd).sort()).toEqual(['till.db', 'till.yaml'])
})

test('a database of PostgreSQL without our tables is no ledger, and stays without them', async () => {
  const url = await postgres.createDatabase()
  const cwd = configured()
  writeFileSync(join(cwd, 'till.yaml'), `${CONFIG}storage: ${url}\nmaster_key: env:KEY\n`)
  const env = { KEY: Buffer.alloc(32, 1).toString('base64') }
  isRefused(await runTill(['keys', 'list'], { cwd, env }))
  expect(await postgres.query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).toEqual([])
  await runTill(['credential', 'set', 'groq'], { cwd, env, input: 'gsk_0123456789abcdef' })
  expect(await runTill(['keys', 'list'], { cwd, env })).toMatchObject({ status: 0, stderr: '' })
})
