import type { ChainHead, Sha256 } from './audit-chain.ts'
import { canonicalJson, FIRST_PREV } from './audit-event.ts'
import type { NumericDate } from './numeric-date.ts'

/** Checkpoints are a chain of their own, whose events are signed. */
export const CHECKPOINT_CHAIN = 'checkpoints'
/** The media type of a checkpoint's JWS, so that it passes for no receipt of the same key. */
export const CHECKPOINT_TYPE = 'till-checkpoint+jwt'

/**
 * What the broker signs of all its chains at one moment. It stays small however many there are: it holds one digest over
 * the heads of the chains that grew since the checkpoint before it, and that checkpoint's hash.
 */
export interface Checkpoint {
  readonly at: NumericDate
  readonly chain: typeof CHECKPOINT_CHAIN
  /** How many chains grew since the checkpoint before it. */
  readonly chains: number
  /** SHA-256 of {@link headsText}, in hex. */
  readonly heads: string
  /** SHA-256 of the checkpoint before it as canonical JSON, 64 zeros for the first. */
  readonly prev: string
  /** From 1, without gaps. */
  readonly seq: number
  readonly type: 'checkpoint'
}

/**
 * The checkpoint that follows `before`.
 *
 * @param before the last one and its hash; `null` for the first
 * @param heads of every chain that grew since then, once each
 */
export function nextCheckpoint(
  before: { readonly seq: number; readonly hash: string } | null,
  heads: readonly ChainHead[],
  at: NumericDate,
  sha256: Sha256,
): Checkpoint {
  // In the order of canonical JSON, so that the signed payload is the text that is hashed.
  return {
    at,
    chain: CHECKPOINT_CHAIN,
    chains: heads.length,
    heads: sha256(headsText(heads)),
    prev: before?.hash ?? FIRST_PREV,
    seq: (before?.seq ?? 0) + 1,
    type: 'checkpoint',
  }
}

/** One line a chain, in the order of their names: `k_… 57 <hash>`. */
export function headsText(heads: readonly ChainHead[]): string {
  return [...heads]
    .sort((a, b) => (a.chain < b.chain ? -1 : 1))
    .map(({ chain, seq, hash }) => `${chain} ${seq} ${hash}\n`)
    .join('')
}

export function checkpointHash(checkpoint: Checkpoint, sha256: Sha256): string {
  return sha256(canonicalJson(checkpoint))
}

/** @returns `null` for a payload that is no checkpoint */
export function asCheckpoint(payload: unknown): Checkpoint | null {
  const checkpoint = payload as Checkpoint | null
  return typeof checkpoint === 'object' &&
    checkpoint !== null &&
    checkpoint.type === 'checkpoint' &&
    checkpoint.chain === CHECKPOINT_CHAIN &&
    Number.isSafeInteger(checkpoint.seq) &&
    Number.isSafeInteger(checkpoint.chains) &&
    typeof checkpoint.at === 'number' &&
    typeof checkpoint.heads === 'string' &&
    typeof checkpoint.prev === 'string'
    ? checkpoint
    : null
}
