import { type DeadReason, deadReason, type Ending, type EndReason, type Grant } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import { deadKey as deadKeySentence } from '#domain/sentence.ts'
import type { Ledger, RequestRecord } from './ports.ts'

/** What came of asking for one activation. `used` counts it in, when it was given. */
export type Activated =
  | { readonly kind: 'activated'; readonly used: number }
  | { readonly kind: 'denied'; readonly used: number; readonly refusal: Refusal }

/**
 * Spends one activation, durably: when this resolves the charge and its event are on disk.
 *
 * @throws {StorageUnavailable} when that is not certain; nothing may be sent then
 */
export async function activate(
  ledger: Ledger,
  grant: Grant,
  request: RequestRecord,
  now: NumericDate,
): Promise<Activated> {
  const activation = await ledger.charge(grant, request, now)
  return activation.kind === 'activation'
    ? { kind: 'activated', used: activation.used }
    : { kind: 'denied', used: activation.used, refusal: deadKey(activation.code, grant, activation.ended) }
}

/**
 * The refusal of a key that may not be used any more.
 *
 * @param ended how it ended, where that is known: the sentence is the better for it
 */
export function deadKey(code: DeadReason, grant: Grant, ended: EndReason | null = null): Refusal {
  return refusal(code, deadKeySentence(code, grant, ended))
}

/** The refusal of what is still open when its key ends. */
export function endedKey(grant: Grant, ended: Ending): Refusal {
  const code = deadReason(grant, { used: 0, givenBack: 0, activeAt: ended.at, ended }, ended.at)
  return deadKey(code ?? 'key_revoked', grant, ended.reason)
}
