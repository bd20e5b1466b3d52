import type { RequestRecord } from '#broker/ports.ts'
import type { EndReason } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { GrantTransaction } from '#storage/grant-transaction.ts'
import { admitFree, charge } from '#storage/grant-verbs/charge.ts'
import { end } from '#storage/grant-verbs/end.ts'
import { giveBack } from '#storage/grant-verbs/give-back.ts'
import { type RequestFact, record } from '#storage/grant-verbs/record.ts'
import { state } from '#storage/grant-verbs/state.ts'
import { touch } from '#storage/grant-verbs/touch.ts'
import type { RefusedFact } from '#storage/refusal-counter.ts'

/** What can be asked of one grant. */
export type GrantCall = { readonly id: string } & (
  | { readonly verb: 'charge'; readonly request: RequestRecord; readonly now: NumericDate }
  | { readonly verb: 'admitFree' | 'state' | 'touch'; readonly now: NumericDate }
  | { readonly verb: 'record'; readonly fact: RequestFact; readonly now: NumericDate }
  | {
      readonly verb: 'giveBack'
      readonly requestId: string
      readonly reason: 'dns' | 'connect' | 'tls'
      readonly now: NumericDate
    }
  | { readonly verb: 'end'; readonly reason: EndReason; readonly now: NumericDate; readonly operator?: string }
  /** Writes refusals of requests that were counted. */
  | { readonly verb: 'writeRefusals'; readonly fact: RefusedFact; readonly now: NumericDate }
)

/** Asks for nothing: who waits for it waits for everything that was asked before. */
export const BARRIER = 'barrier'

export type LaneCall = GrantCall | typeof BARRIER

export function runCall(transaction: GrantTransaction, call: GrantCall): unknown {
  switch (call.verb) {
    case 'charge':
      return charge(transaction, call.id, call.request, call.now)
    case 'admitFree':
      return admitFree(transaction, call.id, call.now)
    case 'state':
      return state(transaction, call.id, call.now)
    case 'touch':
      return touch(transaction, [call.id], call.now)
    case 'record':
      return record(transaction, call.id, call.fact, call.now)
    case 'giveBack':
      return giveBack(transaction, call.id, call.requestId, call.reason, call.now)
    case 'end':
      return end(transaction, call.id, call.reason, call.now, call.operator)
    case 'writeRefusals':
      return transaction.append(transaction.grant(call.id, call.now), call.fact, call.now)
  }
}

/** The request that a call closes, whatever comes of it. */
export function closedRequest(call: GrantCall): string | null {
  if (call.verb === 'giveBack') return call.requestId
  return call.verb === 'record' && call.fact.type === 'request.finished' ? call.fact.request_id : null
}

/** What is decided by a row that was read for it: these calls seldom write one. */
export function isRead({ verb }: GrantCall): boolean {
  return verb === 'state' || verb === 'admitFree'
}
