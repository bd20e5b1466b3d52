import type { Ending, EndReason } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { GrantTransaction } from '#storage/grant-transaction.ts'

export function end(
  transaction: GrantTransaction,
  id: string,
  reason: EndReason,
  now: NumericDate,
  operator: string | undefined,
): Ending {
  const grant = transaction.grant(id, now)
  if (grant.ended) return grant.ended
  if (operator !== undefined) transaction.append(grant, { type: 'operator.revoke', operator }, now)
  return transaction.end(grant, reason, now)
}
