import type { NumericDate } from '#domain/numeric-date.ts'
import { FORGET_ROWS, forgetSql, forgettable } from '#storage/old-rows.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'

/**
 * Forgets a part of what is old enough besides keys: used tokens, minutes, endings of jobs, allowances.
 *
 * @returns whether nothing is left that may be forgotten
 */
export function forgetOldRows(transaction: Transaction, now: NumericDate): boolean {
  const forgotten = forgettable.map((one) => transaction.sql(forgetSql(one, '?')).run(one.before(now)).changes)
  return forgotten.every((rows) => rows < FORGET_ROWS)
}
