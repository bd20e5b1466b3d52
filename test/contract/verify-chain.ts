import { createHash } from 'node:crypto'
import type { Ledger } from '#broker/ports.ts'
import { type AuditEvent, eventText, FIRST_PREV } from '#domain/audit-event.ts'

/**
 * Reads a chain as an auditor does, trusting nothing that the ledger says of it.
 *
 * @throws at the first event that is not linked to the one before it, or is not what its hash says
 */
export async function verifiedEvents(ledger: Ledger, chain: string): Promise<AuditEvent[]> {
  const events: AuditEvent[] = []
  let prev = FIRST_PREV
  for await (const { event, hash } of ledger.events(chain)) {
    if (event.chain !== chain) throw new Error(`expected an event of ${chain}, got one of ${event.chain}`)
    if (event.seq !== events.length + 1) throw new Error(`expected event ${events.length + 1}, got ${event.seq}`)
    if (event.prev !== prev) throw new Error(`event ${event.seq} is not linked to the one before it`)
    if (createHash('sha256').update(eventText(event)).digest('hex') !== hash)
      throw new Error(`event ${event.seq} is not what its hash says`)
    prev = hash
    events.push(event)
  }
  return events
}
