import { hash } from 'node:crypto'
import { Pool } from 'pg'
import { eventText, FIRST_PREV } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { startPostgres } from '#test/support/postgres.ts'
import type { Store } from './store.ts'

const WAITING = 64
const CONNECTIONS = 16

/** A server of its own, as the tests start it; both sides write to it. */
export async function openPostgresStore(): Promise<Store> {
  const postgres = await startPostgres()
  const url = await postgres.createDatabase()
  const ledger = await openPostgresLedger({ url })
  const pool = new Pool({ connectionString: url, max: CONNECTIONS })
  await pool.query(`
    CREATE TABLE bench_keys (id text PRIMARY KEY, used bigint NOT NULL, budget bigint NOT NULL, active_at float8 NOT NULL)
      WITH (fillfactor = 70);
    CREATE TABLE bench_events (no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL, text text NOT NULL)`)
  return {
    ledger,
    alone: {
      'UPDATE and INSERT of the same rows': (grants, seconds, now) => chargeAlone(pool, grants, seconds, now, sameRows),
      'one statement, events without a chain': (grants, seconds, now) =>
        chargeAlone(pool, grants, seconds, now, withoutChain),
    },
    async close() {
      await pool.end()
      await ledger.close()
      await postgres.stop()
    },
  }
}

interface Charge {
  readonly id: string
  readonly requestId: string
  readonly now: number
}

/** Keeps 64 requests waiting for 16 connections, each with a key of its own. */
async function chargeAlone(
  pool: Pool,
  grants: readonly Grant[],
  seconds: number,
  now: number,
  charge: (pool: Pool, charge: Charge) => Promise<void>,
): Promise<number> {
  const ids = grants.map(({ id }) => id)
  await pool.query(
    'INSERT INTO bench_keys SELECT id, 0, 1000000000, 0 FROM unnest($1::text[]) AS id ON CONFLICT DO NOTHING',
    [ids],
  )
  const start = performance.now()
  let charges = 0
  const client = async (id: string) => {
    while (performance.now() < start + seconds * 1000) {
      await charge(pool, { id, requestId: `s_${charges}`, now })
      charges++
    }
  }
  await Promise.all(Array.from({ length: WAITING }, (_, n) => client(ids[n % ids.length]!)))
  return (charges * 1000) / (performance.now() - start)
}

/** What the ledger writes: the row of the key, locked to read the end of its chain, and the event that is linked to it. */
async function sameRows(pool: Pool, { id, requestId, now }: Charge): Promise<void> {
  const client = await pool.connect()
  await client.query('BEGIN')
  const { rows } = await client.query({
    name: 'lock',
    text: `SELECT grant_no, used, events, encode(head, 'hex') AS head FROM grant_states JOIN grants ON no = grant_no
      WHERE id = $1 AND used < budget FOR UPDATE OF grant_states`,
    values: [id],
  })
  const { grant_no, used, events, head } = rows[0]
  const text = textOf(id, requestId, now, { seq: Number(events) + 1, prev: head, used: Number(used) + 1 })
  const digest = hash('sha256', text, 'buffer')
  await client.query({
    name: 'update',
    text: `UPDATE grant_states SET used = used + 1, events = events + 1, version = version + 1, head = $2, active_at = $3
      WHERE grant_no = $1`,
    values: [grant_no, digest, now],
  })
  await client.query({
    name: 'insert',
    text: 'INSERT INTO events (chain, seq, hash, text) VALUES ($1, $2, $3, $4)',
    values: [grant_no, Number(events) + 1, digest, text],
  })
  await client.query('COMMIT')
  client.release()
}

/** The least that anybody could do: a counter and a line, in one round trip. */
async function withoutChain(pool: Pool, { id, requestId, now }: Charge): Promise<void> {
  await pool.query({
    name: 'charge',
    text: `WITH charged AS (
        UPDATE bench_keys SET used = used + 1, active_at = $2 WHERE id = $1 AND used < budget RETURNING id)
      INSERT INTO bench_events (id, text) SELECT id, $3 FROM charged`,
    values: [id, now, textOf(id, requestId, now, { seq: 1, prev: FIRST_PREV, used: 1 })],
  })
}

function textOf(chain: string, requestId: string, at: number, place: { seq: number; prev: string; used: number }) {
  return eventText({
    type: 'activation',
    chain,
    at,
    request_id: requestId,
    provider: 'openai',
    route: 'POST /v1/responses',
    model: 'gpt-5-mini',
    ...place,
  })
}
