import type { Transaction } from '#storage/sqlite/transaction.ts'

/** What is to be done before the worker ends. */
export function close(transaction: Transaction): void {
  transaction.writeCountedRefusals('all')
}
