import { hash } from 'node:crypto'
import { type AuditEvent, type AuditFact, eventText } from '#domain/audit-event.ts'
import type { NumericDate } from '#domain/numeric-date.ts'

/** The end of a chain: what the next event is linked to. */
export interface ChainHead {
  readonly chain: string
  /** How many events there are. */
  seq: number
  /** Hex. */
  head: string
}

/** Puts a fact at the end of a chain. Moves the head. */
export function link(chain: ChainHead, fact: AuditFact, at: NumericDate): string {
  const event: AuditEvent = { ...fact, chain: chain.chain, seq: chain.seq + 1, at, prev: chain.head }
  const text = eventText(event)
  chain.head = hash('sha256', text, 'hex')
  chain.seq++
  return text
}
