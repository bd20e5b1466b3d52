import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256 } from '#audit/make-checkpoint.ts'
import { trailVerifier } from '#domain/audit-trail.ts'
import type { Grant } from '#domain/grant.ts'
import { runBatch } from '#storage/sqlite/batch.ts'
import { openDatabase } from '#storage/sqlite/database.ts'
import { openStore } from '#storage/sqlite/store.ts'
import { openTrail } from '#storage/sqlite/trail.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, minted, T0 } from '#test/contract/mint-entry.ts'
import { afterPowerLoss, type RecordedCall, recordCalls, straceWorks } from './recorded-writes.ts'

const LIMIT = 1000
let folder: string
let path: string
let grant: Grant

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'till-power-'))
  path = join(folder, 'till.db')
  const ledger = await openSqliteLedger({ path })
  grant = await minted(ledger, { limit: LIMIT })
  await ledger.close()
})
afterEach(() => rm(folder, { recursive: true }))

/**
 * What is proved: every write and flush of a process that charges and checkpoints is recorded as the kernel got it. A
 * power cut is put after each acknowledgement, and at the calls between, with what was flushed of each file and any part
 * of what was not, in any order, torn at sectors. From all of them the ledger opens by itself, is sound, and holds every
 * charge that was acknowledged before the cut.
 *
 * What is taken on trust: that a flush which returned is on the disk, that a sector is written as a whole, and that the
 * files' names are there, which are flushed when they are made.
 */
test.skipIf(!straceWorks)(
  'after a power cut at any moment every acknowledged charge is there (needs strace)',
  async () => {
    const BATCHES = 40
    const acknowledgements = join(folder, 'acknowledged')
    const files = [path, `${path}-wal`].map((file) => ({
      file,
      before: file === path ? readFileSync(file) : Buffer.alloc(0),
    }))
    const script = join(import.meta.dirname, 'power-loss-process.ts')
    const calls = recordCalls(join(folder, 'trace'), process.execPath, [
      script,
      path,
      grant.id,
      String(BATCHES),
      acknowledgements,
    ])
    const cuts = calls.flatMap((call, index) => (call.path.startsWith(folder) ? [index + 1] : []))
    expect(calls.filter((call) => call.path === acknowledgements)).toHaveLength(BATCHES)
    expect(calls.filter((call) => call.kind === 'sync' && call.path === `${path}-wal`).length).toBeGreaterThanOrEqual(
      BATCHES,
    )
    expect(calls.some((call) => call.kind === 'sync' && call.path === path)).toBe(true)

    const random = sequence(1)
    for (const cut of cuts) {
      const isAcknowledgement = calls[cut - 1]!.path === acknowledgements
      for (const share of isAcknowledgement ? [0, 0.5, 1] : [random()]) {
        for (const { file, before } of files)
          writeFileSync(
            file,
            afterPowerLoss(calls, cut, file, before, () => random() < share),
            { mode: 0o600 },
          )
        await recovered(acknowledgedBefore(calls, cut, acknowledgements))
      }
    }
  },
  120_000,
)

/**
 * What is proved, on every system: a log that is cut off anywhere after an acknowledged transaction, or whose end is
 * zeros or noise, still holds that transaction, and gives nothing of one that is torn.
 */
test('a log that is cut off, zeroed or overwritten behind a commit holds all up to that commit', async () => {
  const store = openStore(openDatabase(path, 0))
  const commits: { size: number; ids: string[] }[] = []
  const ids: string[] = []
  for (let batch = 0; batch < 12; batch++) {
    const requests = Array.from({ length: 1 + (batch % 4) }, () => aRequest())
    runBatch(
      store,
      requests.map((request) => ['charge', grant.id, request, T0]),
    )
    ids.push(...requests.map(({ requestId }) => requestId))
    commits.push({ size: readFileSync(`${path}-wal`).length, ids: [...ids] })
  }
  const log = readFileSync(`${path}-wal`)
  const database = readFileSync(path)
  store.database.close()

  const random = sequence(2)
  for (const [index, { size, ids }] of commits.entries()) {
    const end = commits[index + 1]?.size ?? size
    const cut = size + Math.floor(random() * (end - size))
    const tails = [
      Buffer.alloc(0),
      log.subarray(size, cut),
      Buffer.concat([log.subarray(size, cut), Buffer.alloc(20_000)]),
      Buffer.concat([log.subarray(size, cut), Buffer.alloc(20_000, 0xa5)]),
      // What came later reached the disk before it.
      Buffer.concat([Buffer.alloc(end - size), log.subarray(end)]),
    ]
    for (const tail of tails) {
      writeFileSync(path, database)
      writeFileSync(`${path}-wal`, Buffer.concat([log.subarray(0, size), tail]))
      await recovered(ids, ids)
    }
  }
})

/** The ledger opens, is sound, and holds these charges; only these, when `atMost` says so. */
async function recovered(acknowledged: readonly string[], atMost?: readonly string[]): Promise<void> {
  rmSync(`${path}-shm`, { force: true })
  const store = openStore(openDatabase(path, 0))
  try {
    expect(Object.values(store.sql('PRAGMA integrity_check').get()!)).toEqual(['ok'])
    const charged = store
      .sql(`SELECT text ->> '$.request_id' AS id FROM events WHERE text ->> '$.type' = 'activation'`)
      .all()
      .map((row) => String(row['id']))
    expect(acknowledged.filter((id) => !charged.includes(id))).toEqual([])
    if (atMost) expect(charged).toEqual(atMost)
    expect(runBatch(store, [['charge', grant.id, aRequest(), T0]]).answer.results).toMatchObject([
      { kind: 'activation', used: charged.length + 1 },
    ])
    const trail = openTrail(path)
    const verifier = trailVerifier(sha256)
    for await (const record of trail.records()) verifier.add(record)
    await trail.close()
    expect(verifier.end().faults).toEqual([])
  } finally {
    store.database.close()
  }
}

function acknowledgedBefore(calls: readonly RecordedCall[], cut: number, file: string): string[] {
  return calls
    .slice(0, cut)
    .flatMap((call) => (call.kind === 'write' && call.path === file ? call.bytes.toString().trim().split(',') : []))
}

/** Numbers from 0 to 1, the same in each run (mulberry32). */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
