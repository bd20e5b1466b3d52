import { hash } from 'node:crypto'
import { closeSync, copyFileSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TrailReport } from '#audit/verify-trail.ts'
import { type StoredTrail, storedTrail, tamper, verified } from './stored-trail.ts'

let stored: StoredTrail
/** The store in one file, closed: what an attacker with the disk has before them. */
let file: string

beforeAll(async () => {
  stored = await storedTrail()
  await stored.ledger.close()
  file = stored.path
})
afterAll(() => stored.close())

function copy(): string {
  const path = join(stored.folder, 'copy.db')
  copyFileSync(file, path)
  return path
}

async function after(sql: string): Promise<TrailReport> {
  const path = copy()
  tamper(path, sql)
  return verified(path, stored.verify)
}

const summary = ({ faults }: TrailReport) => faults.map(({ kind, chain, seq }) => `${kind} ${chain} ${seq}`)

test('a store that nobody changed verifies, whole and by key', async () => {
  expect(await verified(file, stored.verify, { known: stored.shipped })).toMatchObject({
    faults: [],
    chains: 3,
    events: 15,
    unwitnessed: 2,
    checkpoints: 2,
  })
  const [key] = stored.keys
  expect(await verified(file, stored.verify, { chain: key.id })).toMatchObject({ faults: [], chains: 1, events: 7 })
})

test('every single byte of the file that is flipped and changes an event is found', async () => {
  const path = copy()
  // One file, read without its companions: faster to change and to open.
  tamper(path, 'PRAGMA journal_mode = DELETE')
  const whole = readFileSync(path)
  const opened = openSync(path, 'r+')
  const original = JSON.stringify(rows(file))
  const pageSize = whole.readUInt16BE(16)
  let found = 0
  for (let page = 0; page < whole.length; page += pageSize) {
    if (!whole.subarray(page, page + pageSize).includes('"prev":"')) continue
    for (let i = page; i < page + pageSize; i++) {
      writeSync(opened, Uint8Array.of(whole[i]! ^ (1 << (i % 8))), 0, 1, i)
      const isSame = rowsText(path) === original
      const faults = isSame ? [] : await verified(path, stored.verify).then(summary, () => ['unreadable'])
      writeSync(opened, whole, i, 1, i)
      if (isSame) continue
      if (faults.length === 0) expect.fail(`byte ${i}: not found`)
      found++
    }
  }
  closeSync(opened)
  expect(found).toBeGreaterThan(4000)
}, 300_000)

test('every place of an event that is changed is found', async () => {
  for (const { no } of rows(file))
    for (const column of ['chain', 'seq', 'before', 'no'])
      for (const by of [1, -1, 100]) {
        const report = await after(
          `UPDATE OR REPLACE events SET ${column} = coalesce(${column}, 0) + ${by} WHERE no = ${no}`,
        )
        expect(report.faults.length, `${column} of row ${no} by ${by}`).toBeGreaterThan(0)
      }
}, 60_000)

test.each([
  [
    'two rows that were swapped',
    `CREATE TEMP TABLE old AS SELECT no, text, hash FROM events;
     UPDATE events SET (text, hash) = (SELECT text, hash FROM old WHERE old.no = CASE events.no WHEN :a THEN :b ELSE :a END)
       WHERE no IN (:a, :b)`,
    'reordered',
  ],
  ['a row that was deleted', 'DELETE FROM events WHERE no = :a', 'missing'],
  [
    'a row that was doubled',
    'INSERT INTO events (chain, seq, before, hash, text) SELECT chain, seq, before, hash, text FROM events WHERE no = :a',
    'duplicated',
  ],
])('%s is found and named', async (_, sql, kind) => {
  const key = stored.keys[0].id
  const chain = rows(file).filter(({ text }) => Buffer.from(text).includes(`"chain":"${key}"`))
  const [a, b] = [chain[1]!.no, chain[2]!.no]
  const report = await after(sql.replaceAll(':a', String(a)).replaceAll(':b', String(b)))
  expect(summary(report)).toEqual([`${kind} ${key} ${kind === 'duplicated' ? 3 : 2}`])
})

const NO_OF_SECOND = '(SELECT max(no) FROM grants)'

test('a tail that was cut before a checkpoint is found, though the row of the key was made to fit', async () => {
  const key = stored.keys[1].id
  const report = await after(
    `DELETE FROM events WHERE chain = ${NO_OF_SECOND} AND seq > 3;
     UPDATE grant_states SET events = 3, used = 1,
       head = (SELECT hash FROM events WHERE chain = ${NO_OF_SECOND} AND seq = 3),
       last_event = (SELECT no FROM events WHERE chain = ${NO_OF_SECOND} AND seq = 3) WHERE grant_no = ${NO_OF_SECOND}`,
  )
  expect(report.faults).toEqual([
    {
      kind: 'truncated',
      chain: key,
      seq: 4,
      expected: 'at least 7 events, says checkpoint 2',
      found: '3 events',
    },
  ])
})

test('a tail that was cut after the last checkpoint is found by the end that the row of the key tells', async () => {
  const report = await after('DELETE FROM events WHERE no = (SELECT max(no) FROM events)')
  expect(summary(report)).toEqual([`truncated ${stored.keys[0].id} 7`])
})

test('a chain that is gone with its grant is found', async () => {
  const report = await after(
    `DELETE FROM events WHERE chain = ${NO_OF_SECOND}; DELETE FROM grant_states WHERE grant_no = ${NO_OF_SECOND}; DELETE FROM grants WHERE no = ${NO_OF_SECOND}`,
  )
  expect(summary(report)).toEqual([`truncated ${stored.keys[1].id} 1`])
})

test('events of no grant are found', async () => {
  const report = await after(
    'INSERT INTO events (chain, seq, before, hash, text) SELECT 77, 1, NULL, hash, text FROM events WHERE no = 1',
  )
  expect(summary(report)).toEqual(['unreadable #77 (of no grant) 1'])
})

test('a counter that was set back is found', async () => {
  const report = await after('UPDATE grant_states SET used = 0, finished = 0')
  expect(summary(report)).toEqual(stored.keys.map(({ id }) => `miscounted ${id} 7`))
})

test.each([
  ['a budget that was raised', 'UPDATE grant_states SET budget = budget + 1'],
  [
    'an end that was taken back',
    'UPDATE grant_states SET ended_at = NULL, end_reason = NULL WHERE ended_at IS NOT NULL',
  ],
  ['an end that nothing tells of', "UPDATE grant_states SET ended_at = 1, end_reason = 'idle' WHERE ended_at IS NULL"],
])('%s is found', async (_, sql) => {
  const { faults } = await after(sql)
  expect(faults.length).toBeGreaterThan(0)
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(['miscounted']))
})

test('a chain that was written anew, with all hashes, is found by the checkpoint', async () => {
  const key = stored.keys[1].id
  const path = copy()
  rewrite(path, key, (text) => text.replace('"model":"gpt-5-mini"', '"model":"gpt-5-nano"'))
  expect(summary(await verified(path, stored.verify))).toEqual([`changed ${key} 7`])
})

test.each([
  [
    'a checkpoint whose text was changed',
    "UPDATE checkpoints SET jws = replace(jws, '.', '.e') WHERE seq = 1",
    'changed checkpoints 1',
  ],
  [
    'a checkpoint that was removed',
    'DELETE FROM checkpoints WHERE seq = 1; DELETE FROM checkpoint_heads WHERE checkpoint = 1',
    'missing checkpoints 1',
  ],
  [
    'a head that was removed',
    "DELETE FROM checkpoint_heads WHERE checkpoint = 2 AND chain = 'broker'",
    'changed checkpoints 2',
  ],
  [
    'a head that was changed',
    "UPDATE checkpoint_heads SET seq = 1 WHERE checkpoint = 2 AND chain <> 'broker'",
    'changed checkpoints 2',
  ],
])('%s is found', async (_, sql, expected) => {
  expect(summary(await after(sql))).toContain(expected)
})

test('a store that was put back to an earlier state is found by what was shipped', async () => {
  const path = copy()
  tamper(path, 'DELETE FROM checkpoints WHERE seq = 2; DELETE FROM checkpoint_heads WHERE checkpoint = 2')
  expect(summary(await verified(path, stored.verify))).toEqual([])
  expect(summary(await verified(path, stored.verify, { known: stored.shipped }))).toEqual(['truncated checkpoints 2'])
})

test('a checkpoint that another broker signed is no witness', async () => {
  const other = await storedTrail()
  const report = await verified(file, stored.verify, { known: other.shipped })
  expect(summary(report)).toEqual(['changed checkpoints 1', 'changed checkpoints 2'])
  await other.close()
})

interface Row {
  readonly no: number
  readonly text: Uint8Array
  readonly hash: Uint8Array
}

function rows(path: string): Row[] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return database
      .prepare(
        'SELECT no, chain, seq, before, hash, typeof(text) AS type, CAST(text AS BLOB) AS text FROM events ORDER BY no',
      )
      .all() as unknown as Row[]
  } finally {
    database.close()
  }
}

function rowsText(path: string): string {
  try {
    return JSON.stringify(rows(path))
  } catch {
    return 'unreadable'
  }
}

/** What one does who has the database, and knows how hashes are made, but has no key to sign with. */
function rewrite(path: string, chain: string, change: (text: string) => string): void {
  const database = new DatabaseSync(path)
  let prev = '0'.repeat(64)
  for (const { no, text } of rows(path)) {
    const old = Buffer.from(text).toString()
    if (!old.includes(`"chain":"${chain}"`)) continue
    const changed = change(old).replace(/"prev":"[0-9a-f]{64}"/, `"prev":"${prev}"`)
    const digest = hash('sha256', changed, 'buffer')
    prev = digest.toString('hex')
    database.prepare('UPDATE events SET text = ?, hash = ? WHERE no = ?').run(changed, digest, no)
    database.prepare('UPDATE grant_states SET head = ? WHERE last_event = ?').run(digest, no)
  }
  database.close()
}
