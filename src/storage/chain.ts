import { hash } from 'node:crypto'
import { type AuditFact, FIRST_PREV } from '#domain/audit-event.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { fastEventText } from './event-text.ts'

/** A chain of audit events at its end: what the next one is linked to. */
export interface Chain {
  /** A key id, or `broker`. */
  readonly name: string
  /** How many events there are: the `seq` of the last. */
  length: number
  /** The hash of the last, in hex. */
  head: string
}

export function newChain(name: string): Chain {
  return { name, length: 0, head: FIRST_PREV }
}

/** Puts a fact at the end of the chain; returns the text of the event it became. */
export function link(chain: Chain, fact: AuditFact, at: NumericDate): string {
  const text = fastEventText(fact, { chain: chain.name, seq: chain.length + 1, at, prev: chain.head })
  chain.head = hash('sha256', text, 'hex')
  chain.length++
  return text
}
