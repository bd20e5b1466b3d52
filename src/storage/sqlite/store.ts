import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LRUCache } from 'lru-cache'
import { type RefusalCounter, refusalCounter } from '#storage/refusal-counter.ts'
import type { StoredGrant } from './open-grant.ts'

/** The prepared statement of a text, prepared once. */
export type Sql = (text: string) => StatementSync

/** What the one writer of this process keeps between transactions. */
export interface Store {
  readonly database: DatabaseSync
  readonly sql: Sql
  /**
   * Grants as the last commit left them. Emptied when another process has written and when a transaction came to
   * nothing; and no grant is saved unless its row is still the one that was read.
   */
  readonly grants: LRUCache<string, StoredGrant>
  /**
   * Requests that were charged here and have neither finished nor been given back. Not on disk: what was open when the
   * broker died may have reached the provider, so it stays spent.
   */
  readonly openRequests: Set<string>
  readonly refusals: RefusalCounter<string>
  /** The last event that this process has written or seen. */
  lastEvent: number
  /** SQLite's `data_version` at that moment: it changes when another process has committed. */
  dataVersion: number
}

const CACHED_GRANTS = 5_000

export function openStore(database: DatabaseSync): Store {
  const statements = new Map<string, StatementSync>()
  const sql: Sql = (text) => {
    const known = statements.get(text)
    if (known) return known
    const statement = database.prepare(text)
    statements.set(text, statement)
    return statement
  }
  return {
    database,
    sql,
    grants: new LRUCache({ max: CACHED_GRANTS }),
    openRequests: new Set(),
    refusals: refusalCounter(),
    lastEvent: lastEvent(sql),
    dataVersion: dataVersion(sql),
  }
}

export function lastEvent(sql: Sql): number {
  return Number(sql('SELECT max(no) AS no FROM events').get()?.['no'] ?? 0)
}

export function dataVersion(sql: Sql): number {
  return Number(sql('PRAGMA data_version').get()?.['data_version'])
}
