import type { NumericDate } from '#domain/numeric-date.ts'
import { FORGET_EVENTS, FORGET_KEYS, forgottenFact } from '#storage/forgotten-keys.ts'
import { NEWEST_TOKEN, timeToForget } from '#storage/old-rows.ts'
import { appendToBroker } from './broker-chain.ts'
import type { Statements } from './transact.ts'

/** Forgets a part of the keys that ended before, each with its whole chain; those that another replica has are left to it. */
export async function forgetKeys(
  statements: Statements,
  endedBefore: NumericDate,
  now: NumericDate,
): Promise<{ readonly forgotten: number; readonly isDone: boolean }> {
  const [token] = await statements.query(NEWEST_TOKEN)
  const ahead = now - timeToForget(now, token?.['newest'])
  const rows = await statements.query(OLD_KEYS, [endedBefore - ahead])
  let events = 0
  const taken = rows.filter((row, index) => {
    events += Number(row['events'])
    return index === 0 || events <= FORGET_EVENTS
  })
  const numbers = [taken.map((row) => Number(row['no']))]
  await statements.query('DELETE FROM events WHERE chain = ANY ($1::bigint[])', numbers)
  await statements.query('DELETE FROM grant_states WHERE grant_no = ANY ($1::bigint[])', numbers)
  await statements.query('DELETE FROM grants WHERE no = ANY ($1::bigint[])', numbers)
  for (const row of taken)
    await appendToBroker(statements, forgottenFact(String(row['id']), Number(row['events']), String(row['head'])), now)
  return { forgotten: taken.length, isDone: taken.length === rows.length && rows.length < FORGET_KEYS }
}

/** A checkpoint vouches for the whole chain, and it is not the last one, by which a start tells an older ledger. */
const OLD_KEYS = `
  SELECT no, id, events, encode(head, 'hex') AS head FROM grant_states JOIN grants ON no = grant_no
    WHERE ended_at < $1 AND EXISTS (
      SELECT 1 FROM checkpoint_heads AS last WHERE last.chain = id AND last.seq = events
        AND last.checkpoint < (SELECT max(seq) FROM checkpoints))
    ORDER BY ended_at LIMIT ${FORGET_KEYS} FOR UPDATE OF grant_states SKIP LOCKED`
