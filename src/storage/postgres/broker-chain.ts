import { type AuditFact, BROKER_CHAIN } from '#domain/audit-event.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { link } from '#storage/chain.ts'
import type { Statements } from './transact.ts'

/** Adds to the chain of what belongs to no grant. Comes last in its transaction: nothing is locked after this row. */
export async function appendToBroker(statements: Statements, fact: AuditFact, at: NumericDate): Promise<void> {
  const [row] = await statements.query(`SELECT events, encode(head, 'hex') AS head FROM broker_chain FOR UPDATE`)
  if (!row) throw new Error("the broker's chain has no end")
  const chain = { name: BROKER_CHAIN, length: Number(row['events']), head: String(row['head']) }
  const text = link(chain, fact, at)
  await statements.query(
    `WITH saved AS (UPDATE broker_chain SET events = $1, head = decode($2, 'hex'))
      INSERT INTO events (chain, seq, hash, text) VALUES (0, $1, decode($2, 'hex'), $3)`,
    [chain.length, chain.head, text],
  )
}
