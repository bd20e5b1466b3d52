import type { EndReason } from '#domain/grant.ts'
import type { OpenGrant } from '#storage/grant-transaction.ts'
import type { Row } from './session.ts'
import type { Statements } from './transact.ts'

/** The row of a grant as it was read or written last. */
export interface StoredGrant extends OpenGrant {
  /** Of the row: while it is the same, nobody has changed the grant. */
  readonly version: number
}

const COLUMNS = `
  id, grant_no, version, budget, expires_at, idle_after, used, given_back, finished, active_at, ended_at, end_reason,
  events, encode(head, 'hex') AS head`

/** Reads grants as they are now. */
export async function readGrants(statements: Statements, ids: readonly string[]): Promise<StoredGrant[]> {
  const rows = await statements.query(
    `SELECT ${COLUMNS} FROM grants JOIN grant_states ON grant_no = no WHERE id = ANY($1::text[])`,
    [ids],
  )
  return rows.map(storedGrant)
}

/** Reads grants and keeps everybody else from changing them until the transaction ends. Always in the same order. */
export async function lockGrants(statements: Statements, ids: readonly string[]): Promise<StoredGrant[]> {
  const rows = await statements.query(
    `SELECT ${COLUMNS} FROM grants JOIN grant_states ON grant_no = no WHERE id = ANY($1::text[])
      ORDER BY grant_no FOR UPDATE OF grant_states`,
    [ids],
  )
  return rows.map(storedGrant)
}

/** Locks living grants whose time may have come, but those that somebody else has in hand. */
export async function lockDueGrants(statements: Statements, now: number, most: number): Promise<StoredGrant[]> {
  const rows = await statements.query(
    `SELECT ${COLUMNS} FROM grants JOIN grant_states ON grant_no = no
      WHERE ended_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE OF grant_states SKIP LOCKED`,
    [now, most],
  )
  return rows.map(storedGrant)
}

function storedGrant(row: Row): StoredGrant {
  const id = String(row['id'])
  return {
    no: Number(row['grant_no']),
    id,
    version: Number(row['version']),
    life: {
      limit: Number(row['budget']),
      expiresAt: Number(row['expires_at']),
      idleAfterSeconds: row['idle_after'] === null ? null : Number(row['idle_after']),
    },
    chain: { name: id, length: Number(row['events']), head: String(row['head']) },
    used: Number(row['used']),
    givenBack: Number(row['given_back']),
    finished: Number(row['finished']),
    activeAt: Number(row['active_at']),
    ended:
      row['ended_at'] === null ? null : { at: Number(row['ended_at']), reason: String(row['end_reason']) as EndReason },
  }
}
