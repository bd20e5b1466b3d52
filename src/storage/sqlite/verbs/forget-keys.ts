import type { NumericDate } from '#domain/numeric-date.ts'
import { FORGET_EVENTS, FORGET_KEYS, forgottenFact } from '#storage/forgotten-keys.ts'
import { NEWEST_TOKEN, timeToForget } from '#storage/old-rows.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'

/** Forgets a part of the keys that ended before, each with its whole chain. */
export function forgetKeys(
  transaction: Transaction,
  endedBefore: NumericDate,
  now: NumericDate,
): { readonly forgotten: number; readonly isDone: boolean } {
  const { sql } = transaction
  const ahead = now - timeToForget(now, sql(NEWEST_TOKEN).get()?.['newest'])
  const rows = sql(OLD_KEYS).all(endedBefore - ahead)
  let forgotten = 0
  let events = 0
  for (const row of rows) {
    if (forgotten > 0 && events + Number(row['events']) > FORGET_EVENTS) break
    const [no, id] = [Number(row['no']), String(row['id'])]
    events += Number(row['events'])
    forgotten++
    sql(DELETE_CHAIN).run(Number(row['last_event']))
    sql('DELETE FROM grant_states WHERE grant_no = ?').run(no)
    sql('DELETE FROM grants WHERE no = ?').run(no)
    transaction.forget(id)
    transaction.appendToBroker(forgottenFact(id, Number(row['events']), String(row['head'])), now)
  }
  return { forgotten, isDone: forgotten === rows.length && rows.length < FORGET_KEYS }
}

/** A checkpoint vouches for the whole chain, and it is not the last one, by which a start tells an older ledger. */
const OLD_KEYS = `
  SELECT no, id, events, lower(hex(head)) AS head, last_event FROM grant_states JOIN grants ON no = grant_no
    WHERE ended_at < ? AND EXISTS (
      SELECT 1 FROM checkpoint_heads AS last WHERE last.chain = id AND last.seq = events
        AND last.checkpoint < (SELECT max(seq) FROM checkpoints))
    ORDER BY ended_at LIMIT ${FORGET_KEYS}`

const DELETE_CHAIN = `
  WITH RECURSIVE chain (no, before) AS (
    SELECT no, before FROM events WHERE no = ?
    UNION ALL SELECT events.no, events.before FROM chain JOIN events ON events.no = chain.before)
  DELETE FROM events WHERE no IN (SELECT no FROM chain)`
