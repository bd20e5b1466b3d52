import { randomBytes } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'

const MB = 1_000_000
let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'till-ledger-'))
  path = join(folder, 'till.db')
})
afterEach(() => rm(folder, { recursive: true }))

test('the log begins again while the writer goes on, and is gone when the ledger is closed', async () => {
  const ledger = await openSqliteLedger({ path })
  let value = Buffer.alloc(0)
  let largest = 0
  for (let written = 0; written < 240 * MB; written += value.length) {
    value = randomBytes(0.3 * MB)
    await ledger.writeRecord('signing_key', value)
    largest = Math.max(largest, statSync(`${path}-wal`).size)
  }
  await ledger.close()

  expect(largest).toBeGreaterThan(8 * MB)
  expect(largest).toBeLessThan(160 * MB)
  expect(existsSync(`${path}-wal`)).toBe(false)
  const again = await openSqliteLedger({ path })
  expect(Buffer.compare((await again.readRecord('signing_key'))!, value)).toBe(0)
  await again.close()
})
