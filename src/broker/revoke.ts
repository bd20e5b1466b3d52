import type { Refusal } from '#domain/refusal.ts'
import { findByProof, isRefusal, type Proof } from './find-grant.ts'
import type { Ports } from './ports.ts'
import { type SignedReceipt, signedReceipt } from './read-receipt.ts'

/**
 * Ends a key at the wish of its job, and accounts for it. Repeating it is harmless, and so is revoking a key that ended
 * in another way: it keeps the ending that it had.
 */
export async function revoke(
  broker: Pick<Ports, 'ledger' | 'digest' | 'verifier' | 'signer' | 'clock'>,
  id: string,
  proof: Proof,
): Promise<SignedReceipt | Refusal> {
  const grant = await findByProof(broker, id, proof)
  if (isRefusal(grant)) return grant
  await broker.ledger.end(grant, 'revoked_by_job', broker.clock())
  return signedReceipt(broker, grant)
}
