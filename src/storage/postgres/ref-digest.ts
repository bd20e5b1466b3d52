import { digestOf } from '#storage/digest.ts'

/** What the grants of a branch or pull request have in common; `null` for a token that named no ref. */
export function refDigest(issuer: string, repositoryId: string, ref: string | undefined): Uint8Array | null {
  return ref === undefined ? null : digestOf(issuer, repositoryId, ref)
}
