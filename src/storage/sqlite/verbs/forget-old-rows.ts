import type { NumericDate } from '#domain/numeric-date.ts'
import { FORGET_ROWS, forgetSql, forgettable, NEWEST_TOKEN, timeToForget } from '#storage/old-rows.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'

/**
 * Forgets a part of what is old enough besides keys: used tokens, minutes, endings of jobs, allowances.
 *
 * @returns whether nothing is left that may be forgotten
 */
export function forgetOldRows({ sql }: Transaction, now: NumericDate): boolean {
  const time = timeToForget(now, sql(NEWEST_TOKEN).get()?.['newest'])
  const forgotten = forgettable.map((one) => sql(forgetSql(one, '?')).run(one.before(time)).changes)
  return forgotten.every((rows) => rows < FORGET_ROWS)
}
