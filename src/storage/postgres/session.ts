import { Client, type QueryConfig, types } from 'pg'
import { StorageUnavailable } from '#broker/ports.ts'
import { assertDurable } from './durability.ts'

/** How long a server may take to accept a connection. Milliseconds. */
const CONNECT = 3000
/** How long the server may take to answer a goodbye: all that was asked has been answered. Milliseconds. */
const GOODBYE = 1000
/** How long a statement may take until its outcome is taken for unknown, the connection for lost. Milliseconds. */
const DEADLINE = 5000
/** The same for what nobody waits for: migrations, checkpoints, reading the whole trail. */
export const LONG_DEADLINE = 600_000
/** How much earlier the server gives up, and how much earlier than that when it waits for a lock. */
const EARLIER = 1000

/**
 * Said to the server at the start of every session, whatever the role's or the database's defaults are. The server gives
 * up before our deadline does, so that no statement waits on after its caller has gone; and it frees the rows that a
 * broker held which stands still.
 */
function settings(deadline: number): Readonly<Record<string, string>> {
  return {
    application_name: 'till',
    default_transaction_isolation: 'read committed',
    default_transaction_read_only: 'off',
    statement_timeout: String(deadline - EARLIER),
    lock_timeout: String(deadline - 2 * EARLIER),
    idle_in_transaction_session_timeout: String(deadline),
    extra_float_digits: '1',
    bytea_output: 'hex',
    // The tables grow from nothing to millions of rows under plans that were made once.
    enable_seqscan: 'off',
    jit: 'off',
  }
}

export type Row = Record<string, unknown>

/** One connection whose durability was verified. Statements may be sent without waiting for those before them. */
export interface Session {
  /**
   * Runs one statement, prepared once in each session; returns its rows.
   *
   * @throws what `isServerRefusal` tells apart: the server's no, or an unknown outcome
   */
  query(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** Runs statements without values, in one transaction unless they say otherwise. */
  script(text: string): Promise<void>
  /** Calls back for notifications of channels that it listens to. */
  onNotification(listener: (payload: string) => void): void
  /** Whether nothing may be sent any more. */
  readonly isBroken: boolean
  /** Calls back once, when the session ends by itself or breaks; never for what has broken before (`isBroken`). */
  onBroken(listener: () => void): void
  end(): Promise<void>
}

export interface Database {
  readonly url: string
  /** The operator accepts that a failover may forget commits. */
  readonly acceptAsynchronousStandbys: boolean
}

/**
 * @param deadline how long each statement may take, in milliseconds
 * @throws {StorageUnavailable} with a sentence for the operator when the server does not keep our promises
 */
export async function openSession(database: Database, deadline = DEADLINE): Promise<Session> {
  const wanted = settings(deadline)
  const client = new Client({
    connectionString: database.url,
    connectionTimeoutMillis: CONNECT,
    query_timeout: deadline,
    keepAlive: true,
    // In one go what belongs together: begin, lock and read are one round trip.
    pipeline: true,
    types: { getTypeParser: ((oid: number, format: 'text') => parserOf(oid, format)) as typeof types.getTypeParser },
  })
  let isBroken = false
  /** A commit that was acknowledged without having reached the standby comes with a warning. */
  let warning: string | null = null
  const names = new Map<string, string>()
  const listeners: (() => void)[] = []
  const broken = () => {
    if (isBroken) return
    isBroken = true
    // Nothing more is read of it: neither an answer that comes late nor a socket that stays open.
    client.connection.stream.destroy()
    for (const listener of listeners) listener()
  }
  client.on('error', broken)
  client.on('end', broken)

  async function run(query: string | QueryConfig): Promise<Row[]> {
    let rows: Row[]
    try {
      rows = (await client.query<Row>(query)).rows
    } catch (error) {
      if (!(error instanceof Error && 'severity' in error)) broken()
      throw error
    }
    if (warning !== null) {
      broken()
      throw new StorageUnavailable(
        `Cannot use the ledger: PostgreSQL answered with a warning (${warning}), as it does when a write has not reached its standby. Nothing was allowed that is not certain to be on disk. Look at the server's log.`,
      )
    }
    return rows
  }

  const session: Session = {
    query(text, values = []) {
      const name = names.get(text) ?? `s${names.size}`
      names.set(text, name)
      return run({ name, text, values: [...values] })
    },
    async script(text) {
      await run(text)
    },
    onNotification(listener) {
      client.on('notification', ({ payload }) => listener(payload ?? ''))
    },
    get isBroken() {
      return isBroken
    },
    onBroken(listener) {
      listeners.push(listener)
    },
    async end() {
      if (isBroken) return
      const late = setTimeout(() => client.connection.stream.destroy(), GOODBYE)
      await client.end().catch(() => {})
      clearTimeout(late)
    },
  }

  try {
    await client.connect()
    await session.query(
      'SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS settings (name, value)',
      [Object.keys(wanted), Object.values(wanted)],
    )
    await assertDurable(session, database, (client as unknown as { processID: number }).processID)
    // Only now: until here nothing was written, and a warning, such as of an outgrown collation, puts no outcome in doubt.
    client.on('notice', ({ code }) => {
      if (code?.startsWith('01')) warning = code
    })
    return session
  } catch (error) {
    broken()
    throw error instanceof StorageUnavailable ? error : connectionFault(error)
  }
}

function connectionFault(error: unknown): StorageUnavailable {
  const code = error instanceof Error && 'code' in error ? String(error.code) : null
  return new StorageUnavailable(
    `Cannot open the ledger: PostgreSQL cannot be reached${code === null ? '' : ` (${code})`}. Look at storage: in the configuration and at the server.`,
    { cause: error },
  )
}

const INT8 = 20

/** Counters are far below 2^53. */
function parserOf(oid: number, format: 'text'): unknown {
  return oid === INT8 ? Number : types.getTypeParser(oid, format)
}
