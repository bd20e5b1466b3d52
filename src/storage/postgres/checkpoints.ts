import { setTimeout as sleep } from 'node:timers/promises'
import type { NewCheckpoint, PlacedEvent, SignedCheckpoint, SinceCheckpoint } from '#broker/ports.ts'
import type { ChainHead } from '#domain/audit-chain.ts'
import type { Statements } from './transact.ts'

/** How long a transaction of a replica is waited for that has numbered its events and not committed. Milliseconds. */
const LONGEST_WAIT = 6000
const LOOK_AGAIN = 5

/**
 * The `no` up to which everything is committed or will never be. Numbers are given before a commit, so a lower one may
 * appear after a higher one was seen: whoever was writing when the last number was read is waited for. Nobody is kept
 * from writing.
 */
export async function settledPosition(statements: Statements): Promise<number> {
  const [last] = await statements.query(`SELECT last_value, is_called FROM events_no_seq`)
  const position = last?.['is_called'] ? Number(last['last_value']) : 0
  const writing = await writers(statements)
  for (let waited = 0; writing.size > 0 && waited < LONGEST_WAIT; waited += LOOK_AGAIN) {
    const still = await writers(statements)
    for (const one of writing) if (!still.has(one)) writing.delete(one)
    if (writing.size > 0) await sleep(LOOK_AGAIN)
  }
  if (writing.size > 0) throw new Error('a transaction does not end')
  return position
}

/** The transactions that hold what an INSERT into `events` takes before it is given a number. */
async function writers(statements: Statements): Promise<Set<string>> {
  const rows = await statements.query(
    `SELECT DISTINCT virtualtransaction AS one FROM pg_locks
      WHERE locktype = 'relation' AND relation = 'events'::regclass AND mode = 'RowExclusiveLock' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()`,
  )
  return new Set(rows.map((row) => String(row['one'])))
}

export async function sinceCheckpoint(statements: Statements): Promise<SinceCheckpoint> {
  const position = await settledPosition(statements)
  const [last] = await statements.query('SELECT seq, jws, last_event FROM checkpoints ORDER BY seq DESC LIMIT 1')
  const heads = await statements.query(
    `SELECT DISTINCT ON (events.chain) CASE chain WHEN 0 THEN 'broker' ELSE id END AS chain, seq, encode(hash, 'hex') AS hash
      FROM events LEFT JOIN grants ON grants.no = events.chain
      WHERE events.no > $1 AND events.no <= $2 ORDER BY events.chain, seq DESC`,
    [Number(last?.['last_event'] ?? 0), position],
  )
  return {
    last: last ? { seq: Number(last['seq']), jws: String(last['jws']) } : null,
    position,
    heads: heads as unknown as ChainHead[],
  }
}

export async function writeCheckpoint(
  statements: Statements,
  { seq, jws, position, heads }: NewCheckpoint,
): Promise<boolean> {
  const rows = await statements.query(
    `WITH written AS (INSERT INTO checkpoints VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING seq), heads AS (
        INSERT INTO checkpoint_heads
          SELECT written.seq, head.chain, head.seq, decode(head.hash, 'hex')
            FROM written, unnest($4::text[], $5::bigint[], $6::text[]) AS head (chain, seq, hash))
      SELECT seq FROM written`,
    [
      seq,
      position,
      jws,
      heads.map((head) => head.chain),
      heads.map((head) => head.seq),
      heads.map((head) => head.hash),
    ],
  )
  return rows.length === 1
}

export async function checkpoints(statements: Statements, after: number, most: number): Promise<SignedCheckpoint[]> {
  const rows = await statements.query('SELECT seq, jws FROM checkpoints WHERE seq > $1 ORDER BY seq LIMIT $2', [
    after,
    most,
  ])
  return rows as unknown as SignedCheckpoint[]
}

/** A chain of the last checkpoint that ends before its head there. */
export async function behindCheckpoint(
  statements: Statements,
): Promise<{ chain: string; expected: number; found: number } | null> {
  const [row] = await statements.query(
    `SELECT chain, head.seq AS expected, coalesce(events, 0) AS found
      FROM checkpoint_heads AS head LEFT JOIN grants ON id = chain
        LEFT JOIN (SELECT grant_no, events FROM grant_states UNION ALL SELECT 0, events FROM broker_chain) AS state
          ON grant_no = CASE chain WHEN 'broker' THEN 0 ELSE no END
      WHERE checkpoint = (SELECT max(seq) FROM checkpoints) AND coalesce(events, 0) < head.seq LIMIT 1`,
  )
  return row ? { chain: String(row['chain']), expected: Number(row['expected']), found: Number(row['found']) } : null
}

export async function newEvents(statements: Statements, after: number | null, most: number): Promise<PlacedEvent[]> {
  const position = await settledPosition(statements)
  const rows =
    after === null
      ? await statements.query(`SELECT no AS position, text FROM events WHERE no <= $1 ORDER BY no DESC LIMIT $2`, [
          position,
          most,
        ])
      : await statements.query(
          `SELECT no AS position, text FROM events WHERE no > $1 AND no <= $2 ORDER BY no LIMIT $3`,
          [after, position, most],
        )
  return (after === null ? rows.reverse() : rows) as unknown as PlacedEvent[]
}
