import type { AuditTrail } from '#broker/ports.ts'
import type { ChainHead, Witness } from '#domain/audit-chain.ts'
import { BROKER_CHAIN } from '#domain/audit-event.ts'
import type { StoredEnd, TrailRecord } from '#domain/audit-trail.ts'
import { unavailableFrom } from './faults.ts'
import { type Database, LONG_DEADLINE, openSession, type Row, type Session } from './session.ts'

/** Rows that one statement reads. */
const PAGE = 1000

/**
 * Opens the stored trail on a connection of its own and in one transaction, so that what brokers write meanwhile is not
 * seen. Follows no pointer: what is kept under a chain that belongs to nothing is found as well.
 */
export async function openTrail(database: Database): Promise<AuditTrail> {
  const session = await openSession(database, LONG_DEADLINE)
  try {
    // The snapshot of a transaction is taken by its first statement.
    await session.script('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1')
  } catch (error) {
    await session.end()
    throw unavailableFrom(error)
  }
  return {
    checkpoints: () => readable(storedCheckpoints(session)),
    records: (chain) => readable(chain === undefined ? allRecords(session) : recordsOf(session, chain)),
    close: () => session.end(),
  }
}

async function* readable<T>(rows: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* rows
  } catch (error) {
    throw unavailableFrom(error)
  }
}

async function* storedCheckpoints(session: Session) {
  for (let after = 0; ; ) {
    const page = await session.query('SELECT seq, jws FROM checkpoints WHERE seq > $1 ORDER BY seq LIMIT 100', [after])
    for (const row of page) {
      const seq = Number(row['seq'])
      const heads = await session.query(
        `SELECT chain, seq, encode(hash, 'hex') AS hash FROM checkpoint_heads WHERE checkpoint = $1 ORDER BY chain`,
        [seq],
      )
      yield { seq, jws: String(row['jws']), heads: heads as unknown as ChainHead[] }
      after = seq
    }
    if (page.length === 0) return
  }
}

interface StoredEvent {
  readonly chain: number
  readonly seq: number
  readonly text: string
  readonly hash: string
}

interface StoredChain {
  readonly no: number
  readonly name: string
  /** `null`: no row tells where the chain ends. */
  readonly end: StoredEnd | null
}

async function* allRecords(session: Session): AsyncGenerator<TrailRecord> {
  const chains = ahead(chainsOf(session))
  const events = ahead(eventsOf(session, -1, null))
  for (;;) {
    const [chain, event] = [await chains.peek(), await events.peek()]
    if (!chain && !event) break
    const no = Math.min(chain?.no ?? Number.POSITIVE_INFINITY, event?.chain ?? Number.POSITIVE_INFINITY)
    const stored = chain?.no === no ? await chains.take() : null
    yield* recordsOfChain(session, stored ?? { no, name: `#${no} (of no grant)`, end: null }, events)
  }
  const gone = await session.query(
    `SELECT DISTINCT chain FROM checkpoint_heads WHERE chain <> '${BROKER_CHAIN}' AND chain NOT IN (SELECT id FROM grants)`,
  )
  for (const row of gone) yield* withoutGrant(session, String(row['chain']))
}

async function* recordsOf(session: Session, name: string): AsyncGenerator<TrailRecord> {
  const [row] = await session.query(`${CHAINS} WHERE name = $1`, [name])
  if (!row) return yield* withoutGrant(session, name)
  const chain = storedChain(row)
  yield* recordsOfChain(session, chain, ahead(eventsOf(session, chain.no, chain.no)))
}

/** A chain that checkpoints speak of, and that is not there. */
async function* withoutGrant(session: Session, name: string): AsyncGenerator<TrailRecord> {
  const witnesses = await witnessesOf(session, name)
  if (witnesses.length === 0) return
  yield { kind: 'chain', chain: name, witnesses }
  yield { kind: 'end', end: null, misplaced: null }
}

async function* recordsOfChain(
  session: Session,
  { no, name, end }: StoredChain,
  events: Ahead<StoredEvent>,
): AsyncGenerator<TrailRecord> {
  yield { kind: 'chain', chain: name, witnesses: await witnessesOf(session, name) }
  for (let seq = 1; (await events.peek())?.chain === no; seq++) {
    const event = (await events.take())!
    const misplaced =
      event.seq === seq ? null : { expected: `the row of event ${seq}`, found: `a row of event ${event.seq}` }
    yield { kind: 'event', bytes: Buffer.from(event.text), hash: event.hash, misplaced }
  }
  const misplaced = end ? null : { expected: 'a row that tells where the chain ends', found: 'none' }
  yield { kind: 'end', end, misplaced }
}

const CHAINS = `
  SELECT * FROM (
    SELECT 0::bigint AS no, '${BROKER_CHAIN}' AS name, events, encode(head, 'hex') AS hash,
        NULL::bigint AS used, NULL::bigint AS budget, NULL::float8 AS ended_at
      FROM broker_chain
    UNION ALL
    SELECT no, id, events, encode(head, 'hex'), used, budget, ended_at FROM grants LEFT JOIN grant_states ON grant_no = no
  ) AS chains`

async function* chainsOf(session: Session): AsyncGenerator<StoredChain> {
  for (let after = -1; ; ) {
    const page = await session.query(`${CHAINS} WHERE no > $1 ORDER BY no LIMIT ${PAGE}`, [after])
    for (const row of page) yield storedChain(row)
    if (page.length === 0) return
    after = Number(page.at(-1)!['no'])
  }
}

function storedChain(row: Row): StoredChain {
  const grant =
    row['used'] === null
      ? null
      : { used: Number(row['used']), limit: Number(row['budget']), hasEnded: row['ended_at'] !== null }
  const end = row['hash'] === null ? null : { events: Number(row['events']), hash: String(row['hash']), grant }
  return { no: Number(row['no']), name: String(row['name']), end }
}

/** Events in the order of their chains, from one chain to another; `to` `null`: to the last. */
async function* eventsOf(session: Session, from: number, to: number | null): AsyncGenerator<StoredEvent> {
  for (let [chain, seq] = [from, 0]; ; ) {
    const page = (await session.query(
      `SELECT chain, seq, text, encode(hash, 'hex') AS hash FROM events
        WHERE (chain, seq) > ($1, $2) AND chain <= coalesce($3, 9223372036854775807) ORDER BY chain, seq LIMIT ${PAGE}`,
      [chain, seq, to],
    )) as unknown as StoredEvent[]
    yield* page
    const last = page.at(-1)
    if (!last) return
    chain = last.chain
    seq = last.seq
  }
}

async function witnessesOf(session: Session, chain: string): Promise<Witness[]> {
  const rows = await session.query(
    `SELECT seq, encode(hash, 'hex') AS hash, 'checkpoint ' || checkpoint AS "by"
      FROM checkpoint_heads WHERE chain = $1 ORDER BY seq, checkpoint`,
    [chain],
  )
  return rows as unknown as Witness[]
}

/** A sequence of which the next one can be looked at before it is taken. */
interface Ahead<T> {
  peek(): Promise<T | null>
  take(): Promise<T | null>
}

function ahead<T>(source: AsyncIterator<T>): Ahead<T> {
  let next: Promise<T | null> | null = null
  const peek = () => (next ??= source.next().then(({ done, value }) => (done ? null : value)))
  return {
    peek,
    async take() {
      const taken = await peek()
      next = null
      return taken
    },
  }
}
