import type { EndReason } from '#domain/grant.ts'
import type { OpenGrant } from '#storage/grant-transaction.ts'
import type { Sql } from './store.ts'

/** The row of a grant, with what its place in the file needs. */
export interface StoredGrant extends OpenGrant {
  /** The `no` of the last event. */
  lastEvent: number
  /** The length of the chain when the row was read or saved: every change adds to it, so it is the row's version. */
  savedLength: number
}

export function loadGrant(sql: Sql, id: string): StoredGrant {
  const row = sql(
    `SELECT grant_no, budget, expires_at, idle_after, used, given_back, finished, active_at, ended_at, end_reason,
        events, head, last_event
      FROM grant_states WHERE grant_no = (SELECT no FROM grants WHERE id = ?)`,
  ).get(id)
  if (!row) throw new Error('no grant has this id')
  const length = Number(row['events'])
  return {
    no: Number(row['grant_no']),
    id,
    life: {
      limit: Number(row['budget']),
      expiresAt: Number(row['expires_at']),
      idleAfterSeconds: numberOrNull(row['idle_after']),
    },
    chain: { name: id, length, head: Buffer.from(row['head'] as Uint8Array).toString('hex') },
    used: Number(row['used']),
    givenBack: Number(row['given_back']),
    finished: Number(row['finished']),
    activeAt: Number(row['active_at']),
    ended:
      row['ended_at'] === null ? null : { at: Number(row['ended_at']), reason: String(row['end_reason']) as EndReason },
    lastEvent: Number(row['last_event']),
    savedLength: length,
  }
}

/** @throws when the row is not the one that was read: nothing may be decided by what this process remembers alone */
export function saveGrant(sql: Sql, grant: StoredGrant): void {
  const { changes } = sql(
    `UPDATE grant_states SET used = ?, given_back = ?, finished = ?, active_at = ?, events = ?, head = ?, last_event = ?
      WHERE grant_no = ? AND events = ?`,
  ).run(
    grant.used,
    grant.givenBack,
    grant.finished,
    grant.activeAt,
    grant.chain.length,
    Buffer.from(grant.chain.head, 'hex'),
    grant.lastEvent,
    grant.no,
    grant.savedLength,
  )
  if (changes !== 1) throw new Error('the row of a grant is not the one that was read')
  grant.savedLength = grant.chain.length
}

function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value)
}
