import type { NewCheckpoint, PlacedEvent, SignedCheckpoint, SinceCheckpoint } from '#broker/ports.ts'
import type { ChainHead } from '#domain/audit-chain.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'

export function sinceCheckpoint(transaction: Transaction): SinceCheckpoint {
  const { sql } = transaction
  // What is counted and not written would come after the checkpoint that a broker makes when it stops.
  transaction.writeCountedRefusals('all')
  const last = sql('SELECT seq, jws, last_event FROM checkpoints ORDER BY seq DESC LIMIT 1').get()
  const covered = Number(last?.['last_event'] ?? 0)
  return {
    last: last ? { seq: Number(last['seq']), jws: String(last['jws']) } : null,
    position: Number(sql('SELECT max(no) AS no FROM events').get()?.['no'] ?? 0),
    heads: sql(HEADS_SINCE).all(covered) as unknown as ChainHead[],
  }
}

// SQLite takes bare columns from the row that has the maximum (sqlite.org/lang_select.html#bareagg).
const HEADS_SINCE = `
  SELECT CASE chain WHEN 0 THEN 'broker' ELSE id END AS chain, max(seq) AS seq, lower(hex(hash)) AS hash
    FROM events LEFT JOIN grants ON grants.no = events.chain
    WHERE events.no > ? GROUP BY events.chain`

export function writeCheckpoint({ sql }: Transaction, { seq, jws, position, heads }: NewCheckpoint): boolean {
  const written = sql('INSERT INTO checkpoints VALUES (?, ?, ?) ON CONFLICT DO NOTHING').run(seq, position, jws)
  if (written.changes === 0) return false
  const insert = sql('INSERT INTO checkpoint_heads VALUES (?, ?, ?, ?)')
  for (const head of heads) insert.run(seq, head.chain, head.seq, Buffer.from(head.hash, 'hex'))
  return true
}

export function checkpoints({ sql }: Transaction, after: number, most: number): SignedCheckpoint[] {
  return sql('SELECT seq, jws FROM checkpoints WHERE seq > ? ORDER BY seq LIMIT ?').all(
    after,
    most,
  ) as unknown as SignedCheckpoint[]
}

export function behindCheckpoint({ sql }: Transaction): { chain: string; expected: number; found: number } | null {
  const row = sql(
    `SELECT chain, h.seq AS expected, coalesce(events, 0) AS found
      FROM checkpoint_heads AS h LEFT JOIN grants ON id = chain
        LEFT JOIN (SELECT grant_no, events FROM grant_states UNION ALL SELECT 0, events FROM broker_chain)
          ON grant_no = CASE chain WHEN 'broker' THEN 0 ELSE no END
      WHERE checkpoint = (SELECT max(seq) FROM checkpoints) AND coalesce(events, 0) < h.seq LIMIT 1`,
  ).get()
  return row ? { chain: String(row['chain']), expected: Number(row['expected']), found: Number(row['found']) } : null
}

export function newEvents({ sql }: Transaction, after: number | null, most: number): PlacedEvent[] {
  const rows =
    after === null
      ? sql('SELECT no AS position, text FROM events ORDER BY no DESC LIMIT ?').all(most).reverse()
      : sql('SELECT no AS position, text FROM events WHERE no > ? ORDER BY no LIMIT ?').all(after, most)
  return rows as unknown as PlacedEvent[]
}
