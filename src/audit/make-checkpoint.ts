import { hash } from 'node:crypto'
import type { Ledger, SignedCheckpoint, Signer } from '#broker/ports.ts'
import type { Sha256 } from '#domain/audit-chain.ts'
import { asCheckpoint, CHECKPOINT_TYPE, type Checkpoint, checkpointHash, nextCheckpoint } from '#domain/checkpoint.ts'
import type { NumericDate } from '#domain/numeric-date.ts'

export const sha256: Sha256 = (bytes) => hash('sha256', bytes, 'hex')

/** Another process may make one at the same time; a third that does so again and again is no accident. */
const ATTEMPTS = 5

/**
 * Signs the heads of all chains that grew since the last checkpoint, and stores that. What comes into the ledger
 * meanwhile is for the next one.
 *
 * @returns the last checkpoint, which is an older one when nothing grew; `null` when there is none
 */
export async function makeCheckpoint(
  { ledger, signer }: { readonly ledger: Ledger; readonly signer: Signer },
  now: NumericDate,
): Promise<SignedCheckpoint | null> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { last, position, heads } = await ledger.sinceCheckpoint()
    if (heads.length === 0) return last
    const before = last && place(last)
    const checkpoint = nextCheckpoint(before, heads, now, sha256)
    const signed = { seq: checkpoint.seq, jws: await signer.sign(checkpoint, CHECKPOINT_TYPE) }
    if (await ledger.writeCheckpoint({ ...signed, position, heads })) return signed
  }
  throw new Error('other processes wrote a checkpoint each time')
}

function place(last: SignedCheckpoint): { seq: number; hash: string } {
  const checkpoint = checkpointOf(last.jws)
  if (!checkpoint) throw new Error(`the stored checkpoint ${last.seq} is none`)
  return { seq: checkpoint.seq, hash: checkpointHash(checkpoint, sha256) }
}

/** What a checkpoint's JWS says, without verifying its signature. `null` for what is none. */
export function checkpointOf(jws: string): Checkpoint | null {
  try {
    return asCheckpoint(JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()))
  } catch {
    return null
  }
}
