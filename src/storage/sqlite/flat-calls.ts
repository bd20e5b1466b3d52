import type { RequestRecord } from '#broker/ports.ts'
import type { AuditFact } from '#domain/audit-event.ts'
import type { Activation } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { GrantTransaction } from '#storage/grant-transaction.ts'
import { charge } from '#storage/grant-verbs/charge.ts'
import { record } from '#storage/grant-verbs/record.ts'

/**
 * The two calls that every request makes cross to the writer as lists of plain values: with an object the names of its
 * fields would cross each time, and cost more than the values.
 */

type FlatCharge = readonly [
  id: string,
  now: NumericDate,
  requestId: string,
  provider: string,
  route: string,
  model: string | null,
]

export function flatCharge(id: string, request: RequestRecord, now: NumericDate): FlatCharge {
  return [id, now, request.requestId, request.provider, request.route, request.model]
}

export function chargeFlat(transaction: GrantTransaction, ...flat: FlatCharge): Activation {
  const [id, now, requestId, provider, route, model] = flat
  return charge(transaction, id, { requestId, provider, route, model }, now)
}

type Finished = Extract<AuditFact, { type: 'request.finished' }>
type FlatFinished = readonly [
  id: string,
  now: NumericDate,
  requestId: string,
  provider: string,
  route: string,
  free: boolean,
  status: number | null,
  outcome: Finished['outcome'],
  bytesIn: number,
  bytesOut: number,
  milliseconds: number,
  model: string | null,
  inputTokens: number | null,
  outputTokens: number | null,
]

export function flatFinished(id: string, fact: Finished, now: NumericDate): FlatFinished {
  const { request_id, provider, route, free, status, outcome } = fact
  const { bytes_in, bytes_out, milliseconds, model, input_tokens, output_tokens } = fact
  return [
    id,
    now,
    request_id,
    provider,
    route,
    free,
    status,
    outcome,
    bytes_in,
    bytes_out,
    milliseconds,
    model,
    input_tokens,
    output_tokens,
  ]
}

export function recordFlat(transaction: GrantTransaction, ...flat: FlatFinished): void {
  const [id, now, request_id, provider, route, free, status, outcome, ...rest] = flat
  const [bytes_in, bytes_out, milliseconds, model, input_tokens, output_tokens] = rest
  const type = 'request.finished'
  const answer = { free, status, outcome, bytes_in, bytes_out, milliseconds, input_tokens, output_tokens }
  record(transaction, id, { type, request_id, provider, route, model, ...answer }, now)
}
