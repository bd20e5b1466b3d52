import type { NumericDate } from '#domain/numeric-date.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'
import { forgetOldRows } from './forget-old-rows.ts'

/** How many grants one transaction of the sweep looks at, so that charges need not wait long for it. */
const SWEEP_ROWS = 500

/** Ends what time has ended, a part at a time. `isDone` tells whether there was no more. */
export function sweep(transaction: Transaction, now: NumericDate): { ended: number; isDone: boolean } {
  const due = transaction
    .sql(
      `SELECT id FROM grant_states JOIN grants ON no = grant_no
        WHERE ended_at IS NULL AND due_at <= ? ORDER BY due_at LIMIT ${SWEEP_ROWS}`,
    )
    .all(now)
  let ended = 0
  for (const row of due) {
    const grant = transaction.grant(String(row['id']), now)
    if (grant.ended) ended++
    else {
      const { expiresAt, idleAfterSeconds } = grant.life
      const dueAt = Math.min(expiresAt, grant.activeAt + (idleAfterSeconds ?? Number.POSITIVE_INFINITY))
      transaction.sql('UPDATE grant_states SET due_at = ? WHERE grant_no = ?').run(dueAt, grant.no)
    }
  }
  const isSwept = forgetOldRows(transaction, now)
  return { ended, isDone: due.length < SWEEP_ROWS && isSwept }
}
