import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { runBatch } from '#storage/sqlite/batch.ts'
import { openDatabase } from '#storage/sqlite/database.ts'
import { openStore } from '#storage/sqlite/store.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, minted, T0 } from '#test/contract/mint-entry.ts'
import { verifiedEvents } from '#test/contract/verify-chain.ts'

const unavailable = { name: 'StorageUnavailable' }
let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'till-ledger-'))
  path = join(folder, 'data', 'till.db')
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

test('the folder and the files are made for their owner alone', async () => {
  const ledger = await openSqliteLedger({ path })
  const mode = (name: string) => (statSync(name).mode & 0o777).toString(8)
  expect([mode(join(folder, 'data')), mode(path), mode(`${path}-wal`), mode(`${path}-shm`)]).toEqual([
    '700',
    '600',
    '600',
    '600',
  ])
  await ledger.close()
})

test.each([0o644, 0o602])('a file of mode %o is refused', async (mode) => {
  await (await openSqliteLedger({ path })).close()
  chmodSync(path, mode)
  await expect(openSqliteLedger({ path })).rejects.toMatchObject(unavailable)
})

test('a folder in which everyone may replace files is refused', async () => {
  mkdirSync(join(folder, 'data'))
  chmodSync(join(folder, 'data'), 0o777)
  await expect(openSqliteLedger({ path })).rejects.toMatchObject(unavailable)
})

test('a path that cannot be made is refused', async () => {
  writeFileSync(join(folder, 'data'), '')
  const message = expect.stringMatching(/data\/till\.db .* See that .*\/data is a folder .* storage:\.$/)
  await expect(openSqliteLedger({ path })).rejects.toMatchObject({ ...unavailable, message })
})

test.each<[string, RegExp, (file: string) => void]>([
  ['no database', /put a backup back/, (file) => writeFileSync(file, 'x'.repeat(10_000), { mode: 0o600 })],
  ["another program's database", /Name the file .* in storage:/, (file) => change(file, 'CREATE TABLE t (a)')],
  ['marked by another program', /Name the file .* in storage:/, (file) => change(file, 'PRAGMA application_id = 1234')],
  [
    'of no version that there is',
    /Name the file .* in storage:/,
    (file) => change(file, 'PRAGMA application_id = 0x54494c4c; PRAGMA user_version = -1'),
  ],
  [
    "a newer Till's",
    /Update Till\.$/,
    (file) => change(file, 'PRAGMA application_id = 0x54494c4c; PRAGMA user_version = 999'),
  ],
])('a file that is %s is refused by its name, with what to do, and left as it was', async (_, remedy, make) => {
  mkdirSync(join(folder, 'data'), { mode: 0o700 })
  make(path)
  chmodSync(path, 0o600)
  const before = readFileSync(path)
  const { name, message }: Error = await openSqliteLedger({ path }).catch((error) => error)
  expect(name).toBe('StorageUnavailable')
  expect(message).toContain(`Cannot open the ledger ${path}: `)
  expect(message).toMatch(remedy)
  expect(readFileSync(path).equals(before)).toBe(true)
})

test('the log of another program is not written into its file', async () => {
  mkdirSync(join(folder, 'data'), { mode: 0o700 })
  const theirs = new DatabaseSync(path)
  theirs.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)')
  const files = [path, `${path}-wal`]
  const before = files.map((file) => readFileSync(file))
  theirs.close()
  for (const [i, file] of files.entries()) writeFileSync(file, before[i]!, { mode: 0o600 })
  await expect(openSqliteLedger({ path })).rejects.toMatchObject(unavailable)
  expect(files.map((file) => readFileSync(file))).toEqual(before)
})

test('a file that was emptied is not taken for a new one while its log is there', async () => {
  await (await openSqliteLedger({ path })).close()
  truncateSync(path)
  writeFileSync(`${path}-wal`, 'x', { mode: 0o600 })
  await expect(openSqliteLedger({ path })).rejects.toMatchObject(unavailable)
  expect(readFileSync(`${path}-wal`, 'utf8')).toBe('x')
})

test('settings are read back: full flushes, a write-ahead log, foreign keys', async () => {
  await (await openSqliteLedger({ path })).close()
  const database = openDatabase(path, 0)
  const setting = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0]
  expect([setting('synchronous'), setting('journal_mode'), setting('foreign_keys')]).toEqual([2, 'wal', 1])
  database.close()
})

test('many processes that open a new ledger together apply its migrations once', async () => {
  const ledgers = await Promise.all(Array.from({ length: 4 }, () => openSqliteLedger({ path })))
  await Promise.all(ledgers.map((ledger) => ledger.close()))
})

test('a full disk refuses all that waits, spends nothing, and passes when there is room again', async () => {
  const ledger = await openSqliteLedger({ path })
  const grant = await minted(ledger, { limit: 1_000_000 })
  await ledger.close()

  const store = openStore(openDatabase(path, 0))
  const charges = Array.from({ length: 500 }, () => ['charge', grant.id, aRequest(), T0] as const)
  const { page_count } = store.database.prepare('PRAGMA page_count').get() as { page_count: number }
  store.database.exec(`PRAGMA max_page_count = ${page_count + 1}`)
  const { answer } = runBatch(store, charges)
  expect(answer.failures).toHaveLength(500)
  expect(answer.failures[0]).toEqual([0, 'SQLITE_FULL'])
  expect(answer.broken).toBeNull()

  store.database.exec('PRAGMA max_page_count = 1000000')
  expect(runBatch(store, [['state', grant.id, T0]]).answer.results).toMatchObject([{ used: 0 }])
  expect(runBatch(store, charges).answer.failures).toEqual([])
  store.database.close()
})

test('a ledger that may not be written refuses, and spends nothing', async () => {
  const ledger = await openSqliteLedger({ path })
  const grant = await minted(ledger)
  await ledger.close()

  const store = openStore(openDatabase(path, 0))
  store.database.exec('PRAGMA query_only = ON')
  const { answer } = runBatch(store, [['charge', grant.id, aRequest(), T0]])
  expect(answer.failures).toEqual([[0, 'SQLITE_READONLY']])
  store.database.exec('PRAGMA query_only = OFF')
  expect(runBatch(store, [['state', grant.id, T0]]).answer.results).toMatchObject([{ used: 0 }])
  store.database.close()
})

test('another process that writes for longer than the time-out makes calls fail, then they pass again', async () => {
  const ledger = await openSqliteLedger({ path, busyTimeout: 50 })
  const grant = await minted(ledger)
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  await expect(ledger.charge(grant, aRequest(), T0)).rejects.toMatchObject(unavailable)
  other.exec('ROLLBACK')
  other.close()
  expect(await ledger.charge(grant, aRequest(), T0)).toMatchObject({ used: 1 })
  await ledger.close()
})

test('after a write error nothing more is written until a restart, and then all that was acknowledged is there', () => {
  // The limit on the size of a file makes write(2) fail in earnest, under a ledger that is at work.
  const script = join(import.meta.dirname, 'write-error-process.ts')
  const child = spawnSync(
    'sh',
    ['-c', `trap '' XFSZ; ulimit -f 1024; exec "$0" "$@"`, process.execPath, script, path],
    {
      encoding: 'utf8',
    },
  )
  expect(child.stderr).toBe('')
  const { acknowledged, failure, later, grantId } = JSON.parse(child.stdout)
  expect(failure).toBe('StorageUnavailable')
  expect(later).toEqual(['StorageUnavailable', 'StorageUnavailable'])
  return reopened(grantId, acknowledged)
})

test('a damaged file is refused when it is opened', async () => {
  const ledger = await openSqliteLedger({ path })
  await minted(ledger)
  await ledger.close()
  damage()
  await expect(openSqliteLedger({ path })).rejects.toMatchObject(unavailable)
})

test('a file that is damaged later breaks the ledger at the first call that reads the damage', async () => {
  const ledger = await openSqliteLedger({ path })
  const grant = await minted(ledger)
  await ledger.close()
  const store = openStore(openDatabase(path, 0))
  damage()
  const { answer } = runBatch(store, [['charge', grant.id, aRequest(), T0]])
  expect(answer).toEqual({ results: [], failures: [[0, 'SQLITE_CORRUPT']], broken: 'SQLITE_CORRUPT' })
  store.database.close()
})

test('… also when a call before it cannot be written, and then nothing of the batch is tried any more', async () => {
  const ledger = await openSqliteLedger({ path })
  const grant = await minted(ledger)
  await ledger.close()
  const store = openStore(openDatabase(path, 0))
  damage()
  const charge = ['charge', grant.id, aRequest(), T0] as const
  const { answer } = runBatch(store, [['writeRecord', 'a', undefined as never], charge, ['probe']])
  expect(answer.failures).toEqual([
    [0, expect.stringContaining('cannot be bound')],
    [1, 'SQLITE_CORRUPT'],
    [2, 'SQLITE_CORRUPT'],
  ])
  expect(answer.broken).toBe('SQLITE_CORRUPT')
  store.database.close()
})

test('when the thread dies, what waits and what comes is refused', async () => {
  const started = vi.spyOn(Worker.prototype, 'once')
  const ledger = await openSqliteLedger({ path, busyTimeout: 500 })
  const grant = await minted(ledger)
  const worker = started.mock.contexts[0] as Worker
  // Keeps the thread waiting, so that it dies with the charge in its hands.
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  const waiting = ledger.charge(grant, aRequest(), T0)
  waiting.catch(() => {})
  // It leaves in the next turn of the event loop.
  await sleep(100)
  const dead = worker.terminate()
  await expect(waiting).rejects.toMatchObject(unavailable)
  await expect(ledger.charge(grant, aRequest(), T0)).rejects.toMatchObject(unavailable)
  await expect(ledger.check()).rejects.toMatchObject(unavailable)
  other.exec('ROLLBACK')
  other.close()
  await dead
  await ledger.close()
})

async function reopened(grantId: string, acknowledged: number): Promise<void> {
  const ledger = await openSqliteLedger({ path, busyTimeout: 500 })
  const grant = (await ledger.findById(grantId))!
  const { used } = await ledger.state(grant, T0)
  expect(used).toBeGreaterThanOrEqual(acknowledged)
  expect((await verifiedEvents(ledger, grantId)).filter(({ type }) => type === 'activation')).toHaveLength(used)
  expect(await ledger.charge(grant, aRequest(), T0)).toMatchObject({ kind: 'activation' })
  await ledger.close()
}

/** Overwrites all but the first page, which holds what is read to open the file. */
function damage(): void {
  const file = openSync(path, 'r+')
  const size = statSync(path).size - 4096
  writeSync(file, Buffer.alloc(size, 0xff), 0, size, 4096)
  closeSync(file)
}

function change(file: string, sql: string): void {
  const database = new DatabaseSync(file)
  database.exec(sql)
  database.close()
}
