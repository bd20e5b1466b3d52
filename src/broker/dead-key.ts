import { type DeadReason, deadReason, type Ending, type Grant } from '#domain/grant.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import { deadKey as deadKeySentence } from '#domain/sentence.ts'

/** The refusal of a key that may not be used any more. */
export function deadKey(code: DeadReason, grant: Grant): Refusal {
  return refusal(code, deadKeySentence(code, grant))
}

/** The refusal of what is still open when its key ends. */
export function endedKey(grant: Grant, ended: Ending): Refusal {
  const code = deadReason(grant, { used: 0, givenBack: 0, activeAt: ended.at, ended }, ended.at)
  return deadKey(code ?? 'key_revoked', grant)
}
