import type { Transaction } from '#storage/sqlite/transaction.ts'

/** Changes something, so that the commit has to reach the disk. */
export function probe(transaction: Transaction): void {
  transaction.sql('UPDATE probes SET writes = writes + 1, padding = randomblob(32768)').run()
}
