import type { AuditTrail } from '#broker/ports.ts'
import { canonicalJson } from '#domain/audit-event.ts'
import { CHECKPOINT_CHAIN } from '#domain/checkpoint.ts'

/**
 * A trail as JSON Lines: the exact text of one event a line, so that the SHA-256 of a line is the hash that the next
 * line of its chain names. What its ends are verified by comes last: the checkpoints with their heads.
 */
export async function* exportTrail(trail: Pick<AuditTrail, 'checkpoints' | 'records'>): AsyncGenerator<Uint8Array> {
  for await (const record of trail.records()) if (record.kind === 'event') yield record.bytes
  for await (const { seq, jws, heads } of trail.checkpoints()) {
    const list = heads.map(({ chain, seq, hash }) => [chain, seq, hash])
    yield Buffer.from(canonicalJson({ chain: CHECKPOINT_CHAIN, jws, list, seq, type: 'checkpoint' }))
  }
}

/** One chain as JSON Lines. Its end is verified by its receipt, which comes last. */
export async function* exportChain(
  trail: Pick<AuditTrail, 'records'>,
  chain: string,
  receiptJws: string,
): AsyncGenerator<Uint8Array> {
  for await (const record of trail.records(chain)) if (record.kind === 'event') yield record.bytes
  yield Buffer.from(canonicalJson({ chain, jws: receiptJws, type: 'receipt' }))
}
