import type { RequestRecord } from '#broker/ports.ts'
import { type Activation, activate, type DeadReason, deadReason } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { GrantTransaction } from '#storage/grant-transaction.ts'
import { recordableModel } from './recordable.ts'

/** Spends one activation. The row was read in this transaction, which nobody else can write beside. */
export function charge(
  transaction: GrantTransaction,
  id: string,
  request: RequestRecord,
  now: NumericDate,
): Activation {
  const grant = transaction.grant(id, now)
  const answer = activate(grant.life, grant, now)
  const { provider, route } = request
  const model = recordableModel(request.model)
  if (answer.kind === 'refused') {
    transaction.refuse(grant, { type: 'request.refused', code: answer.code, provider, route, model, count: 1 }, now)
    return answer
  }
  grant.used = answer.used
  grant.activeAt = Math.max(grant.activeAt, now)
  transaction.openRequest(request.requestId)
  transaction.append(
    grant,
    { type: 'activation', request_id: request.requestId, provider, route, model, used: answer.used },
    now,
  )
  return answer
}

/** Why a free request may not pass; `null` when it may. Spends nothing. */
export function admitFree(transaction: GrantTransaction, id: string, now: NumericDate): DeadReason | null {
  const grant = transaction.grant(id, now)
  return deadReason(grant.life, grant, now)
}
