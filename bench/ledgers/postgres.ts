import { Pool } from 'pg'
import { eventText, FIRST_PREV } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { startPostgres } from '#test/support/postgres.ts'
import type { Store } from './store.ts'

const WAITING = 64
const CONNECTIONS = 16

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
      'UPDATE and INSERT in a transaction': (grants, seconds, now) =>
        chargeAlone(pool, grants, seconds, now, inTransaction),
      'UPDATE and INSERT as one statement': (grants, seconds, now) => chargeAlone(pool, grants, seconds, now, asOne),
    },
    async close() {
      await pool.end()
      await ledger.close()
      await postgres.stop()
    },
  }
}

type Charge = (pool: Pool, id: string, text: string, now: number) => Promise<void>

/** Without the chain of events, which would cost a request one more look at the row. */
async function chargeAlone(
  pool: Pool,
  grants: readonly Grant[],
  seconds: number,
  now: number,
  charge: Charge,
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
      const text = eventText({
        type: 'activation',
        chain: id,
        seq: charges + 1,
        at: now,
        prev: FIRST_PREV,
        request_id: `s_${charges}`,
        provider: 'openai',
        route: 'POST /v1/responses',
        model: 'gpt-5-mini',
        used: charges + 1,
      })
      await charge(pool, id, text, now)
      charges++
    }
  }
  await Promise.all(Array.from({ length: WAITING }, (_, n) => client(ids[n % ids.length]!)))
  return (charges * 1000) / (performance.now() - start)
}

const UPDATE = 'UPDATE bench_keys SET used = used + 1, active_at = $2 WHERE id = $1 AND used < budget RETURNING id'

const inTransaction: Charge = async (pool, id, text, now) => {
  const client = await pool.connect()
  await client.query('BEGIN')
  await client.query({ name: 'update', text: UPDATE, values: [id, now] })
  await client.query({
    name: 'insert',
    text: 'INSERT INTO bench_events (id, text) VALUES ($1, $2)',
    values: [id, text],
  })
  await client.query('COMMIT')
  client.release()
}

const asOne: Charge = async (pool, id, text, now) => {
  const charge = `WITH charged AS (${UPDATE}) INSERT INTO bench_events (id, text) SELECT id, $3 FROM charged`
  await pool.query({ name: 'charge', text: charge, values: [id, now, text] })
}
