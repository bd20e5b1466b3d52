import type { OperatorAct } from '#broker/ports.ts'
import { appendToBroker } from './broker-chain.ts'
import type { Statements } from './transact.ts'

export async function readRecord(statements: Statements, name: string): Promise<Uint8Array | null> {
  const [row] = await statements.query('SELECT value FROM sealed_records WHERE name = $1', [name])
  return row ? new Uint8Array(row['value'] as Buffer) : null
}

export async function writeRecord(
  statements: Statements,
  name: string,
  value: Uint8Array,
  act?: OperatorAct,
): Promise<void> {
  if (act) await appendToBroker(statements, act.fact, act.now)
  await statements.query(
    'INSERT INTO sealed_records VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    [name, Buffer.from(value)],
  )
}

/** The record that stands when this returns, this one or an earlier. */
export async function createRecord(statements: Statements, name: string, value: Uint8Array): Promise<Uint8Array> {
  await statements.query('INSERT INTO sealed_records VALUES ($1, $2) ON CONFLICT (name) DO NOTHING', [
    name,
    Buffer.from(value),
  ])
  return (await readRecord(statements, name)) ?? value
}
