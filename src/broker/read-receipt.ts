import type { Grant } from '#domain/grant.ts'
import { type Receipt, receiptOf } from '#domain/receipt.ts'
import type { Refusal } from '#domain/refusal.ts'
import { findByProof, isRefusal, type Proof } from './find-grant.ts'
import type { Ports } from './ports.ts'

export interface SignedReceipt {
  readonly kind: 'receipt'
  readonly grant: Grant
  readonly receipt: Receipt
  /** The same, as a compact JWS. */
  readonly jws: string
}

/** The account of a key, alive or ended, for the key itself or for its job. */
export async function readReceipt(
  broker: Pick<Ports, 'ledger' | 'digest' | 'verifier' | 'signer' | 'clock'>,
  id: string,
  proof: Proof,
): Promise<SignedReceipt | Refusal> {
  const grant = await findByProof(broker, id, proof)
  if (isRefusal(grant)) return grant
  // Records an expiry that has come and that no sweep has seen yet.
  await broker.ledger.state(grant, broker.clock())
  return signedReceipt(broker, grant)
}

/** Adds the grant's events up and signs the sum. */
export async function signedReceipt(broker: Pick<Ports, 'ledger' | 'signer'>, grant: Grant): Promise<SignedReceipt> {
  const account = receiptOf()
  for await (const { event, hash } of broker.ledger.events(grant.id)) account.add(event, hash)
  const receipt = account.receipt()
  return { kind: 'receipt', grant, receipt, jws: await broker.signer.sign(receipt) }
}
