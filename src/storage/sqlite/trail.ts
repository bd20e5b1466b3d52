import { DatabaseSync } from 'node:sqlite'
import { type AuditTrail, StorageUnavailable } from '#broker/ports.ts'
import type { ChainHead, Witness } from '#domain/audit-chain.ts'
import { BROKER_CHAIN } from '#domain/audit-event.ts'
import type { Mismatch, StoredEnd, TrailRecord } from '#domain/audit-trail.ts'
import { openStore, type Sql } from './store.ts'

/**
 * Opens the stored trail read-only, on a connection of its own and in one transaction, so that what a broker writes
 * meanwhile is not seen. Follows no pointer of the file: rows that are linked to nothing are found as well.
 */
export function openTrail(path: string): AuditTrail {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 })
  const { sql } = openStore(database)
  // A transaction of SQLite begins with its first read.
  sql('BEGIN').run()
  sql('SELECT max(seq) FROM checkpoints').get()
  return {
    async *checkpoints() {
      yield* readable(storedCheckpoints(sql))
    },
    async *records(chain) {
      yield* readable(chain === undefined ? allRecords(sql) : recordsOf(sql, chain))
    },
    async close() {
      database.close()
    },
  }
}

/** What SQLite says of a file that it cannot read is for the operator; nothing was verified then. */
function* readable<T>(rows: Iterable<T>): Generator<T> {
  try {
    yield* rows
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : null
    if (code === null) throw error
    throw new StorageUnavailable(`Cannot read the ledger: the file is damaged (SQLite error ${code}).`)
  }
}

function* storedCheckpoints(sql: Sql) {
  const heads = sql(
    'SELECT chain, seq, lower(hex(hash)) AS hash FROM checkpoint_heads WHERE checkpoint = ? ORDER BY chain',
  )
  for (const row of sql('SELECT seq, jws FROM checkpoints ORDER BY seq').iterate()) {
    const seq = Number(row['seq'])
    yield { seq, jws: String(row['jws']), heads: heads.all(seq) as unknown as ChainHead[] }
  }
}

interface Key {
  readonly chain: number
  readonly seq: number
  readonly no: number
}

/** Each grant has a row of `seq` 0 here, so that it is seen if all its events are gone. */
const ALL_KEYS = `
  SELECT 0 AS chain, 0 AS seq, 0 AS no UNION ALL SELECT no, 0, 0 FROM grants
  UNION ALL SELECT chain, seq, no FROM events ORDER BY 1, 2, 3`

const KEYS_OF_CHAIN = `
  SELECT ? AS chain, 0 AS seq, 0 AS no UNION ALL
  SELECT chain, seq, no FROM events WHERE chain = ? ORDER BY 2, 3`

function* allRecords(sql: Sql): Generator<TrailRecord> {
  yield* chains(sql, sql(ALL_KEYS).iterate() as Iterable<unknown> as Iterable<Key>)
  const gone = sql(
    'SELECT DISTINCT chain FROM checkpoint_heads WHERE chain <> ? AND chain NOT IN (SELECT id FROM grants)',
  )
  for (const row of gone.all(BROKER_CHAIN)) yield* withoutGrant(sql, String(row['chain']))
}

function* recordsOf(sql: Sql, name: string): Generator<TrailRecord> {
  const row = name === BROKER_CHAIN ? { no: 0 } : sql('SELECT no FROM grants WHERE id = ?').get(name)
  if (!row) return yield* withoutGrant(sql, name)
  const no = Number(row['no'])
  const keys = sql(KEYS_OF_CHAIN).iterate(no, no)
  yield* chains(sql, keys as Iterable<unknown> as Iterable<Key>)
}

/** A chain that checkpoints speak of, and that is not there. */
function* withoutGrant(sql: Sql, name: string): Generator<TrailRecord> {
  const witnesses = witnessesOf(sql, name)
  if (witnesses.length === 0) return
  yield { kind: 'chain', chain: name, witnesses }
  yield { kind: 'end', end: null, misplaced: null }
}

function* chains(sql: Sql, keys: Iterable<Key>): Generator<TrailRecord> {
  const event = sql(
    `SELECT before, typeof(text) || ' and ' || typeof(hash) AS types, CAST(text AS BLOB) AS bytes, lower(hex(hash)) AS hash FROM events WHERE no = ?`,
  )
  let chain: number | null = null
  let last: Key | null = null
  for (const key of keys) {
    if (key.chain !== chain) {
      if (chain !== null) yield ending(sql, chain, last)
      chain = key.chain
      last = null
      const name = nameOf(sql, chain)
      yield { kind: 'chain', chain: name, witnesses: witnessesOf(sql, name) }
    }
    if (key.seq === 0) continue
    const { before, types, bytes, hash } = event.get(key.no) as unknown as EventRow
    const misplaced =
      types === TYPES ? misplacedRow(key, last, before) : { expected: `values of type ${TYPES}`, found: types }
    yield { kind: 'event', bytes, hash, misplaced }
    last = key
  }
  if (chain !== null) yield ending(sql, chain, last)
}

/** STRICT tables hold no others, unless the file was changed without SQLite. */
const TYPES = 'text and blob'

interface EventRow {
  readonly before: number | null
  readonly types: string
  readonly bytes: Uint8Array
  readonly hash: string
}

/** The columns by which the ledger finds an event, against what is there. */
function misplacedRow(key: Key, last: Key | null, before: number | null): Mismatch | null {
  const seq = (last?.seq ?? 0) + 1
  if (key.seq !== seq) return { expected: `the row of event ${seq}`, found: `a row of event ${key.seq}` }
  const no = last?.no ?? null
  if (before !== no) return { expected: `a row after row ${no ?? 'none'}`, found: `one after row ${before ?? 'none'}` }
  return null
}

function ending(sql: Sql, chain: number, last: Key | null): TrailRecord {
  const row =
    chain === 0
      ? sql('SELECT events, lower(hex(head)) AS hash, last_event FROM broker_chain').get()
      : sql(
          'SELECT events, lower(hex(head)) AS hash, last_event, used, budget, ended_at FROM grant_states WHERE grant_no = ?',
        ).get(chain)
  if (!row) {
    const misplaced = { expected: 'a row that tells where the chain ends', found: 'none' }
    return { kind: 'end', end: null, misplaced }
  }
  const at = row['last_event']
  const end: StoredEnd = {
    events: Number(row['events']),
    hash: String(row['hash']),
    grant:
      chain === 0
        ? null
        : { used: Number(row['used']), limit: Number(row['budget']), hasEnded: row['ended_at'] !== null },
  }
  const misplaced =
    at === (last?.no ?? null) ? null : { expected: `the chain to end at row ${at}`, found: `row ${last?.no ?? 'none'}` }
  return { kind: 'end', end, misplaced: end.events > (last?.seq ?? 0) ? null : misplaced }
}

function nameOf(sql: Sql, chain: number): string {
  if (chain === 0) return BROKER_CHAIN
  const row = sql('SELECT id FROM grants WHERE no = ?').get(chain)
  return row ? String(row['id']) : `#${chain} (of no grant)`
}

function witnessesOf(sql: Sql, chain: string): Witness[] {
  return sql(
    `SELECT seq, lower(hex(hash)) AS hash, 'checkpoint ' || checkpoint AS "by"
      FROM checkpoint_heads WHERE chain = ? ORDER BY seq, checkpoint`,
  ).all(chain) as unknown as Witness[]
}
