import type { NumericDate } from '#domain/numeric-date.ts'
import { FORGET_ROWS, forgetSql, forgettable } from '#storage/forgettable.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'

/** @returns whether nothing is left that may be forgotten */
export function forgetOldRows(transaction: Transaction, now: NumericDate): boolean {
  const forgotten = forgettable.map((one) => transaction.sql(forgetSql(one, '?')).run(one.before(now)).changes)
  return forgotten.every((rows) => rows < FORGET_ROWS)
}

/** Changes something, so that the commit has to reach the disk. */
export function probe(transaction: Transaction): void {
  transaction.sql('UPDATE probes SET writes = writes + 1, padding = randomblob(32768)').run()
}

/** What is to be done before the worker ends. */
export function close(transaction: Transaction): void {
  transaction.writeCountedRefusals('all')
}
