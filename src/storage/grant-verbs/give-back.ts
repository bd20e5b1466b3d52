import type { NumericDate } from '#domain/numeric-date.ts'
import type { GrantTransaction } from '#storage/grant-transaction.ts'

/** Gives an activation back whose request is open, once. Of any other request nothing is certain. */
export function giveBack(
  transaction: GrantTransaction,
  id: string,
  requestId: string,
  reason: 'dns' | 'connect' | 'tls',
  now: NumericDate,
): void {
  const grant = transaction.grant(id, now)
  if (!transaction.closeRequest(requestId)) return
  grant.used--
  grant.givenBack++
  transaction.append(grant, { type: 'activation.given_back', request_id: requestId, reason }, now)
  // What an ended key leaves unspent was returned when it ended, without this one.
  if (grant.ended) transaction.returnUnspent(grant, { keys: 0, activations: 1 })
}
