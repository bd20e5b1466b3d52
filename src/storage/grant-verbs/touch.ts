import type { NumericDate } from '#domain/numeric-date.ts'
import type { GrantTransaction } from '#storage/grant-transaction.ts'

export function touch(transaction: GrantTransaction, ids: readonly string[], now: NumericDate): void {
  for (const id of ids) {
    const grant = transaction.grant(id, now)
    if (grant.ended || grant.activeAt >= now) continue
    transaction.touch(grant, now)
  }
}
