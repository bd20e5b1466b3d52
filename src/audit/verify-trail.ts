import type { AuditTrail } from '#broker/ports.ts'
import { type ChainFault, chainVerifier } from '#domain/audit-chain.ts'
import { canonicalJson } from '#domain/audit-event.ts'
import { type TrailVerdict, trailVerifier } from '#domain/audit-trail.ts'
import {
  asCheckpoint,
  CHECKPOINT_CHAIN,
  CHECKPOINT_TYPE,
  type Checkpoint,
  checkpointHash,
  headsText,
} from '#domain/checkpoint.ts'
import { checkpointOf, sha256 } from './make-checkpoint.ts'

/** Verifies a compact JWS of the broker; a receipt's, unless another `typ` is said. */
export type VerifySignature = (
  jws: string,
  type?: string,
) => { readonly kind: 'verified'; readonly payload: unknown } | { readonly kind: 'unverified'; readonly reason: string }

/** What was verified, and everything that is wrong with it. It holds if there is no fault. */
export interface TrailReport extends TrailVerdict {
  readonly checkpoints: number
  readonly lastCheckpoint: Checkpoint | null
}

interface VerifyOptions {
  readonly chain?: string
  readonly known?: AsyncIterable<string> | Iterable<string>
  readonly isCopy?: boolean
}

/**
 * Verifies a trail: every checkpoint's signature, link and heads; every chain's events; and every chain against the
 * heads that checkpoints vouch for.
 *
 * @param options `chain`: this one alone; `known`: checkpoints that were kept outside, as compact JWS; `isCopy`: it is an
 *   export, which anybody may have added to
 */
export async function verifyTrail(
  trail: Pick<AuditTrail, 'checkpoints' | 'records'>,
  verify: VerifySignature,
  { chain, known = [], isCopy = false }: VerifyOptions = {},
): Promise<TrailReport> {
  const signed = await verifyCheckpoints(trail, verify, known)
  const events = trailVerifier(sha256, { isCopy })
  for await (const record of trail.records(chain)) events.add(record)
  const verdict = events.end()
  return {
    ...verdict,
    faults: [...signed.faults, ...verdict.faults],
    faultyChains: verdict.faultyChains + (signed.faults.length > 0 ? 1 : 0),
    checkpoints: signed.count,
    lastCheckpoint: signed.last,
  }
}

async function verifyCheckpoints(
  trail: Pick<AuditTrail, 'checkpoints'>,
  verify: VerifySignature,
  known: AsyncIterable<string> | Iterable<string>,
): Promise<{ faults: ChainFault[]; count: number; last: Checkpoint | null }> {
  const faults: ChainFault[] = []
  const fault = (kind: ChainFault['kind'], seq: number, expected: string, found: string) =>
    faults.push({ kind, chain: CHECKPOINT_CHAIN, seq, expected, found })
  const outside = await knownCheckpoints(known, verify, fault)
  const links = chainVerifier(CHECKPOINT_CHAIN, sha256)
  let count = 0
  let last: Checkpoint | null = null
  for await (const { seq, jws, heads } of trail.checkpoints()) {
    count++
    const read = verify(jws, CHECKPOINT_TYPE)
    const checkpoint = read.kind === 'verified' ? asCheckpoint(read.payload) : null
    if (!checkpoint) {
      fault(
        'changed',
        seq,
        'a checkpoint that this broker signed',
        read.kind === 'verified' ? 'another text' : read.reason,
      )
      break
    }
    if (checkpoint.seq !== seq) fault('changed', seq, `checkpoint ${seq}`, `checkpoint ${checkpoint.seq}`)
    links.add(Buffer.from(canonicalJson(checkpoint)), null)
    const digest = sha256(headsText(heads))
    if (digest !== checkpoint.heads) fault('changed', seq, `heads with digest ${checkpoint.heads}`, `digest ${digest}`)
    const hash = outside.get(seq)
    const found = checkpointHash(checkpoint, sha256)
    if (hash !== undefined && hash !== found) fault('changed', seq, `hash ${hash}, as it was shipped`, `hash ${found}`)
    outside.delete(seq)
    last = checkpoint
  }
  const linked = links.end()
  if (linked.fault) faults.push(linked.fault)
  const [gone] = [...outside.keys()].sort((a, b) => a - b)
  if (gone !== undefined && faults.length === 0)
    fault('truncated', gone, `checkpoint ${gone}, which was shipped`, count === 0 ? 'none' : `${count} checkpoints`)
  return { faults, count, last }
}

/** The hashes of checkpoints that were kept outside, by their `seq`. */
async function knownCheckpoints(
  known: AsyncIterable<string> | Iterable<string>,
  verify: VerifySignature,
  fault: (kind: ChainFault['kind'], seq: number, expected: string, found: string) => void,
): Promise<Map<number, string>> {
  const hashes = new Map<number, string>()
  for await (const jws of known) {
    const read = verify(jws, CHECKPOINT_TYPE)
    const checkpoint = read.kind === 'verified' ? asCheckpoint(read.payload) : null
    if (checkpoint) hashes.set(checkpoint.seq, checkpointHash(checkpoint, sha256))
    else
      fault(
        'changed',
        checkpointOf(jws)?.seq ?? hashes.size + 1,
        'a shipped checkpoint that this broker signed',
        read.kind === 'verified' ? 'another text' : read.reason,
      )
  }
  return hashes
}
