import { BROKER_CHAIN } from '#domain/audit-event.ts'
import type { Chain } from '#storage/chain.ts'
import type { Sql } from './store.ts'

/** The chain of what belongs to no grant, with the `no` of its last event. */
export interface OpenBrokerChain {
  readonly chain: Chain
  lastEvent: number | null
}

export function loadBrokerChain(sql: Sql): OpenBrokerChain {
  const row = sql('SELECT events, lower(hex(head)) AS head, last_event FROM broker_chain').get()
  if (!row) throw new Error("the broker's chain has no end")
  return {
    chain: { name: BROKER_CHAIN, length: Number(row['events']), head: String(row['head']) },
    lastEvent: row['last_event'] === null ? null : Number(row['last_event']),
  }
}

export function saveBrokerChain(sql: Sql, { chain, lastEvent }: OpenBrokerChain): void {
  sql('UPDATE broker_chain SET events = ?, head = ?, last_event = ?').run(
    chain.length,
    Buffer.from(chain.head, 'hex'),
    lastEvent,
  )
}
