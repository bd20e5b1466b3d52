import type { AuditTrail } from '#broker/ports.ts'
import { chainVerifier } from '#domain/audit-chain.ts'
import { type AuditEvent, canonicalJson } from '#domain/audit-event.ts'
import { type Receipt, receiptOf } from '#domain/receipt.ts'
import { sha256 } from './make-checkpoint.ts'

/**
 * Adds up the events that a receipt speaks of.
 *
 * @param receipt one whose signature was verified
 * @returns `null` when the trail has these events and they add up to the receipt; else in words what differs
 */
export async function receiptOfChain(trail: Pick<AuditTrail, 'records'>, receipt: Receipt): Promise<string | null> {
  const { key_id: chain, audit } = receipt
  const verifier = chainVerifier(chain, sha256, [{ seq: audit.events, hash: audit.head, by: 'the receipt' }])
  const account = receiptOf()
  let events = 0
  for await (const record of trail.records(chain)) {
    if (record.kind !== 'event' || events === audit.events) continue
    verifier.add(record.bytes, record.hash)
    events++
    const event = parsed(record.bytes)
    if (event) account.add(event, sha256(record.bytes))
  }
  const { fault } = verifier.end()
  if (fault) return `${fault.kind} at event ${fault.seq}: expected ${fault.expected}, found ${fault.found}`
  return canonicalJson(account.receipt()) === canonicalJson(receipt) ? null : 'its events add up to something else'
}

function parsed(bytes: Uint8Array): AuditEvent | null {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as AuditEvent
  } catch {
    return null
  }
}
