import type { AuditFact } from '#domain/audit-event.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { GrantTransaction } from '#storage/grant-transaction.ts'
import { recordableModel, recordableRoute } from './recordable.ts'

export type RequestFact = Extract<AuditFact, { type: 'request.finished' | 'request.refused' }>

export function record(transaction: GrantTransaction, id: string, fact: RequestFact, now: NumericDate): void {
  const grant = transaction.grant(id, now)
  const clean = recordableFact(fact)
  if (clean.type === 'request.refused') {
    transaction.refuse(grant, clean, now)
    return
  }
  if (transaction.closeRequest(clean.request_id)) grant.finished++
  grant.activeAt = Math.max(grant.activeAt, now)
  transaction.append(grant, clean, now)
}

function recordableFact(fact: RequestFact): RequestFact {
  const [route, model] = [recordableRoute(fact.route), recordableModel(fact.model)]
  return route === fact.route && model === fact.model ? fact : { ...fact, route, model }
}
