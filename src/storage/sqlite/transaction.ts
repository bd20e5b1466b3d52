import { hash } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LRUCache } from 'lru-cache'
import { type AuditFact, BROKER_CHAIN, FIRST_PREV } from '#domain/audit-event.ts'
import { type Ending, type EndReason, endReason, type GrantLife, naturalEnd } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { type ChainHead, link } from '#storage/event-text.ts'
import { type RefusalCounter, type Refused, type RefusedFact, refusalCounter } from '#storage/refusal-counter.ts'
import { dataVersion, type ForeignEnding, foreignEndings, lastEvent } from './foreign-endings.ts'

/** What the one writer of this process keeps between transactions. */
export interface Store {
  readonly database: DatabaseSync
  /** The prepared statement of a text, prepared once. */
  readonly sql: (text: string) => StatementSync
  /** What of a grant never changes. */
  readonly terms: LRUCache<string, GrantTerms>
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

export interface GrantTerms extends GrantLife {
  readonly no: number
  readonly id: string
  readonly policy: string
}

/** A grant in a transaction: what changes of it, written back before the commit. */
export interface OpenGrant {
  readonly terms: GrantTerms
  readonly chain: ChainHead
  used: number
  givenBack: number
  /** Of the used ones: those whose request has finished. */
  finished: number
  activeAt: NumericDate
  ended: Ending | null
  isChanged: boolean
}

export interface Transaction {
  readonly sql: (text: string) => StatementSync
  /** A grant as time has left it: if it has expired or idled away by `now`, its ending is recorded first. */
  grant(id: string, now: NumericDate): OpenGrant
  /** Ends a grant that has not ended. */
  end(grant: OpenGrant, cause: EndReason, at: NumericDate): Ending
  append(grant: OpenGrant, fact: AuditFact, at: NumericDate): void
  /** Inserts the event at the head of a chain; `append` is for all but a grant's first. */
  writeEvent(chain: ChainHead, no: number, text: string): void
  appendToBroker(fact: AuditFact, at: NumericDate): void
  /** Adds to a chain what refusals were counted and not written yet. */
  writeCountedRefusals(what: Parameters<RefusalCounter<string>['take']>[0]): void
  /** Has a refusal of a request counted, or written before the commit. */
  refuse(grant: OpenGrant, fact: RefusedFact, at: NumericDate): void
  openRequest(id: string): void
  /** @returns whether the request was open */
  closeRequest(id: string): boolean
}

export function openStore(database: DatabaseSync): Store {
  const statements = new Map<string, StatementSync>()
  const sql = (text: string): StatementSync => {
    const known = statements.get(text)
    if (known) return known
    const statement = database.prepare(text)
    statements.set(text, statement)
    return statement
  }
  return {
    database,
    sql,
    terms: new LRUCache({ max: 50_000 }),
    openRequests: new Set(),
    refusals: refusalCounter(),
    lastEvent: lastEvent(sql),
    dataVersion: dataVersion(sql),
  }
}

/**
 * Runs `work` in one transaction that is on disk when this returns.
 *
 * @returns what it returned, and every ending that came: in it, or through another process since the last one
 * @throws what `work` or SQLite threw; nothing was written then, or nothing is known (see {@link CommitFailed})
 */
export function transact<T>(
  store: Store,
  work: (transaction: Transaction) => T,
): { value: T; endings: ForeignEnding[] } {
  const { database, sql } = store
  const grants = new Map<string, OpenGrant>()
  const endings: ForeignEnding[] = []
  const refused: Refused<string>[] = []
  const taken: Refused<string>[] = []
  const opened: string[] = []
  const closed = new Set<string>()
  let broker: ChainHead | null = null
  let last = store.lastEvent

  const writeEvent = (chain: ChainHead, no: number, text: string): void => {
    const row = sql('INSERT INTO events (chain, seq, hash, text) VALUES (?, ?, ?, ?)').run(
      no,
      chain.seq,
      Buffer.from(chain.head, 'hex'),
      text,
    )
    last = Number(row.lastInsertRowid)
  }

  const transaction: Transaction = {
    sql,
    writeEvent,
    grant(id, now) {
      const grant = grants.get(id) ?? loadGrant(store, id)
      grants.set(id, grant)
      const natural = grant.ended ? null : naturalEnd(grant.terms, grant, now)
      if (natural) transaction.end(grant, natural.reason, natural.at)
      return grant
    },
    end(grant, cause, at) {
      const reason = endReason(cause, {
        used: grant.used,
        limit: grant.terms.limit,
        open: grant.used - grant.finished,
      })
      grant.ended = { at, reason }
      transaction.append(grant, { type: 'key.ended', reason }, at)
      sql('UPDATE grant_states SET ended_at = ?, end_reason = ? WHERE grant_no = ? AND ended_at IS NULL').run(
        at,
        reason,
        grant.terms.no,
      )
      returnUnspent(sql, grant.terms.no, reason === 'reissued' ? 1 : 0, grant.terms.limit - grant.used)
      endings.push({ id: grant.terms.id, ending: grant.ended })
      return grant.ended
    },
    append(grant, fact, at) {
      writeEvent(grant.chain, grant.terms.no, link(grant.chain, fact, at))
      grant.isChanged = true
    },
    appendToBroker(fact, at) {
      broker ??= brokerChain(sql)
      writeEvent(broker, 0, link(broker, fact, at))
    },
    writeCountedRefusals(what) {
      const due = store.refusals.take(what)
      taken.push(...due)
      for (const { chain, fact, at } of due) transaction.append(transaction.grant(chain, at), fact, at)
    },
    refuse(grant, fact, at) {
      refused.push({ chain: grant.terms.id, fact, at })
    },
    openRequest(id) {
      opened.push(id)
    },
    closeRequest(id) {
      if (closed.has(id) || !(store.openRequests.has(id) || opened.includes(id))) return false
      closed.add(id)
      return true
    },
  }

  sql('BEGIN IMMEDIATE').run()
  try {
    endings.push(...foreignEndings(store))
    last = store.lastEvent
    const value = work(transaction)
    for (const { chain, fact, at } of store.refusals.add(refused, performance.now()))
      transaction.append(transaction.grant(chain, at), fact, at)
    for (const grant of grants.values()) if (grant.isChanged) saveGrant(sql, grant)
    commit(sql)
    store.lastEvent = last
    for (const id of opened) store.openRequests.add(id)
    for (const id of closed) store.openRequests.delete(id)
    return { value, endings }
  } catch (error) {
    store.refusals.putBack(taken)
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** A commit that failed: what it was to write may be on disk or not. */
export class CommitFailed extends Error {
  override readonly name = 'CommitFailed'
}

function commit(sql: Store['sql']): void {
  try {
    sql('COMMIT').run()
  } catch (cause) {
    throw new CommitFailed('Cannot commit', { cause })
  }
}

function loadGrant(store: Store, id: string): OpenGrant {
  const terms = loadTerms(store, id)
  const row = store
    .sql(
      'SELECT used, given_back, finished, active_at, ended_at, end_reason, events, head FROM grant_states WHERE grant_no = ?',
    )
    .get(terms.no)
  if (!row) throw new Error(`no state of grant ${id}`)
  return {
    terms,
    used: Number(row['used']),
    givenBack: Number(row['given_back']),
    finished: Number(row['finished']),
    activeAt: Number(row['active_at']),
    ended:
      row['ended_at'] === null ? null : { at: Number(row['ended_at']), reason: String(row['end_reason']) as EndReason },
    chain: { chain: id, seq: Number(row['events']), head: Buffer.from(row['head'] as Uint8Array).toString('hex') },
    isChanged: false,
  }
}

function loadTerms(store: Store, id: string): GrantTerms {
  const known = store.terms.get(id)
  if (known) return known
  const row = store
    .sql(
      'SELECT no, policy, budget, expires_at, idle_after FROM grants JOIN grant_states ON grant_no = no WHERE id = ?',
    )
    .get(id)
  if (!row) throw new Error('no grant has this id')
  const terms: GrantTerms = {
    no: Number(row['no']),
    id,
    policy: String(row['policy']),
    limit: Number(row['budget']),
    expiresAt: Number(row['expires_at']),
    idleAfterSeconds: row['idle_after'] === null ? null : Number(row['idle_after']),
  }
  store.terms.set(id, terms)
  return terms
}

/** The conditions hold already, in this very transaction; that they are here too costs nothing. */
function saveGrant(sql: Store['sql'], grant: OpenGrant): void {
  const saved = sql(
    'UPDATE grant_states SET used = ?, given_back = ?, finished = ?, active_at = ?, events = ?, head = ? WHERE grant_no = ? AND events < ?',
  ).run(
    grant.used,
    grant.givenBack,
    grant.finished,
    grant.activeAt,
    grant.chain.seq,
    Buffer.from(grant.chain.head, 'hex'),
    grant.terms.no,
    grant.chain.seq,
  )
  if (saved.changes !== 1) throw new Error(`the state of grant ${grant.terms.id} is not what was read`)
}

export function returnUnspent(sql: Store['sql'], no: number, keys: number, activations: number): void {
  sql(
    `UPDATE allowances SET keys = keys - ?, activations = activations - ?
      FROM grants
      WHERE grants.no = ? AND allowances.policy = grants.policy
        AND allowances.span IN (grants.run_digest, date(grants.minted_at, 'unixepoch'))`,
  ).run(keys, activations, no)
}

function brokerChain(sql: Store['sql']): ChainHead {
  const row = sql('SELECT seq, hash FROM events WHERE chain = 0 ORDER BY seq DESC LIMIT 1').get()
  return row
    ? { chain: BROKER_CHAIN, seq: Number(row['seq']), head: Buffer.from(row['hash'] as Uint8Array).toString('hex') }
    : { chain: BROKER_CHAIN, seq: 0, head: FIRST_PREV }
}

/** Different for different parts, whatever they hold. */
export function digestOf(...parts: readonly string[]): Uint8Array {
  return sha256(JSON.stringify(parts))
}

export function sha256(text: string): Uint8Array {
  return hash('sha256', text, 'buffer')
}
