import type { OperatorAct } from '#broker/ports.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'

export function readRecord(transaction: Transaction, name: string): Uint8Array | null {
  const row = transaction.sql('SELECT value FROM sealed_records WHERE name = ?').get(name)
  return row ? (row['value'] as Uint8Array) : null
}

export function writeRecord(transaction: Transaction, name: string, value: Uint8Array, act?: OperatorAct): void {
  if (act) transaction.appendToBroker(act.fact, act.now)
  transaction
    .sql('INSERT INTO sealed_records VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value')
    .run(name, value)
}

export function createRecord(transaction: Transaction, name: string, value: Uint8Array): Uint8Array {
  transaction.sql('INSERT INTO sealed_records VALUES (?, ?) ON CONFLICT (name) DO NOTHING').run(name, value)
  return readRecord(transaction, name) ?? value
}
