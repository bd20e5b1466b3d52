import type { AuditFact } from '#domain/audit-event.ts'
import { endReason, naturalEnd } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { type Chain, link } from '#storage/chain.ts'
import type { GrantEnding, GrantTransaction, Unspent } from '#storage/grant-transaction.ts'
import type { RefusalCounter, Refused } from '#storage/refusal-counter.ts'
import { loadBrokerChain, type OpenBrokerChain, saveBrokerChain } from './broker-chain.ts'
import { foreignEndings } from './foreign-endings.ts'
import { loadGrant, type StoredGrant, saveGrant } from './open-grant.ts'
import type { Sql, Store } from './store.ts'

/** What a verb does its work with. */
export interface Transaction extends GrantTransaction<StoredGrant> {
  readonly sql: Sql
  appendToBroker(fact: AuditFact, at: NumericDate): void
  /** Forgets what is remembered of a grant whose rows are gone. */
  forget(id: string): void
  /** Writes refusals that were counted and are due. */
  writeCountedRefusals(what: Parameters<RefusalCounter<string>['take']>[0]): void
  /** Writes changed grants and the broker's chain to their rows now, so that SQL sees them; else before the commit. */
  save(): void
}

/**
 * Runs `work` in one transaction that is on disk when this returns.
 *
 * @returns what it returned, and every ending that came: in it, or through another process since the last one
 * @throws what `work` or SQLite threw: nothing was written. {@link CommitFailed}: whether it was written is not known
 */
export function transact<T>(store: Store, work: (transaction: Transaction) => T): { value: T; endings: GrantEnding[] } {
  const { database, sql } = store
  const changed = new Set<StoredGrant>()
  const endings: GrantEnding[] = []
  const refused: Refused<string>[] = []
  const taken: Refused<string>[] = []
  /** To be undone when nothing is written. */
  const opened: string[] = []
  const closed: string[] = []
  let broker: OpenBrokerChain | null = null
  let lastEvent = 0
  /** What another process wrote is told by the transaction that comes through, or not at all. */
  const { lastEvent: seenEvent, dataVersion: seenVersion } = store

  const transaction: Transaction = {
    sql,
    grant(id, now) {
      const known = store.grants.get(id)
      const grant = known ?? loadGrant(sql, id)
      if (!known) store.grants.set(id, grant)
      const natural = grant.ended ? null : naturalEnd(grant.life, grant, now)
      if (natural) transaction.end(grant, natural.reason, natural.at)
      return grant
    },
    end(grant, cause, at) {
      const { used, life } = grant
      const reason = endReason(cause, { used, limit: life.limit, open: used - grant.finished })
      grant.ended = { at, reason }
      transaction.append(grant, { type: 'key.ended', reason }, at)
      sql('UPDATE grant_states SET ended_at = ?, end_reason = ? WHERE grant_no = ?').run(at, reason, grant.no)
      transaction.returnUnspent(grant, { keys: reason === 'reissued' ? 1 : 0, activations: life.limit - used })
      endings.push({ id: grant.id, ending: grant.ended })
      return grant.ended
    },
    append(grant, fact, at) {
      const text = link(grant.chain, fact, at)
      lastEvent = insertEvent(sql, grant.no, grant.chain, grant.lastEvent, text)
      grant.lastEvent = lastEvent
      changed.add(grant)
    },
    appendToBroker(fact, at) {
      broker ??= loadBrokerChain(sql)
      const text = link(broker.chain, fact, at)
      lastEvent = insertEvent(sql, 0, broker.chain, broker.lastEvent, text)
      broker.lastEvent = lastEvent
    },
    refuse(grant, fact, at) {
      refused.push({ chain: grant.id, fact, at })
    },
    forget: (id) => void store.grants.delete(id),
    writeCountedRefusals(what) {
      const due = store.refusals.take(what)
      taken.push(...due)
      for (const { chain, fact, at } of due) transaction.append(transaction.grant(chain, at), fact, at)
    },
    save() {
      for (const grant of changed) saveGrant(sql, grant)
      changed.clear()
      if (broker) saveBrokerChain(sql, broker)
    },
    touch(grant, at) {
      grant.activeAt = at
      sql('UPDATE grant_states SET active_at = ? WHERE grant_no = ? AND ended_at IS NULL').run(at, grant.no)
    },
    returnUnspent: (grant, unspent) => returnUnspent(sql, grant, unspent),
    openRequest(id) {
      store.openRequests.add(id)
      opened.push(id)
    },
    closeRequest(id) {
      const isOpen = store.openRequests.delete(id)
      if (isOpen) closed.push(id)
      return isOpen
    },
  }

  sql('BEGIN IMMEDIATE').run()
  try {
    endings.push(...foreignEndings(store))
    const value = work(transaction)
    for (const { chain, fact, at } of store.refusals.add(refused, performance.now()))
      transaction.append(transaction.grant(chain, at), fact, at)
    transaction.save()
    commit(sql)
    store.lastEvent = lastEvent || store.lastEvent
    return { value, endings }
  } catch (error) {
    store.lastEvent = seenEvent
    store.dataVersion = seenVersion
    store.grants.clear()
    store.refusals.putBack(taken)
    for (const id of closed) store.openRequests.add(id)
    for (const id of opened) store.openRequests.delete(id)
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** A commit that failed: what it was to write may be on disk or not. */
export class CommitFailed extends Error {
  override readonly name = 'CommitFailed'
}

function commit(sql: Sql): void {
  try {
    sql('COMMIT').run()
  } catch (cause) {
    throw new CommitFailed('Cannot commit', { cause })
  }
}

/** Writes the event that was just linked to a chain. */
export function insertEvent(sql: Sql, no: number, chain: Chain, before: number | null, text: string): number {
  const row = sql('INSERT INTO events (chain, seq, before, hash, text) VALUES (?, ?, ?, ?, ?)').run(
    no,
    chain.length,
    before,
    Buffer.from(chain.head, 'hex'),
    text,
  )
  return Number(row.lastInsertRowid)
}

function returnUnspent(sql: Sql, grant: StoredGrant, unspent: Unspent): void {
  sql(
    `UPDATE allowances SET keys = keys - ?, activations = activations - ?
      FROM grants
      WHERE grants.no = ? AND allowances.policy = grants.policy
        AND allowances.span IN (grants.run_digest, date(CAST(grants.minted_at AS INTEGER), 'unixepoch'))`,
  ).run(unspent.keys, unspent.activations, grant.no)
}
