import type { JobRecord } from '#domain/audit-event.ts'
import type { EndReason } from '#domain/grant.ts'
import { MAX_ACTIVATIONS } from '#domain/policy.ts'
import type { Receipt } from '#domain/receipt.ts'
import { keyId, POLICY_NAME, PROVIDER_NAME } from './mint.ts'
import { integer, list, nullable, numericDate, object, oneOf, record, type Shape, text } from './shape.ts'

/** The answer to `DELETE /v1/keys/{id}` and to `GET /v1/keys/{id}/receipt`: 200. */
export interface ReceiptAnswer {
  readonly receipt: Receipt
  /** The receipt as a compact JWS (EdDSA): what `GET /.well-known/jwks.json` verifies. */
  readonly jws: string
  /** Who writes the comment on the pull request. */
  readonly comment_by: 'broker' | 'action'
}

/** `DELETE` answers with the receipt of the key that it ended. */
export type RevokeAnswer = ReceiptAnswer

const count = integer(0, Number.MAX_SAFE_INTEGER)
const activations = integer(0, MAX_ACTIVATIONS)

/** Names that a job chose come without control characters and cut to 256 (`recordable`); they are still hostile text. */
const LINE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{0,256}$/
const line = text(LINE, 'a line of at most 256 characters')
const digits = text(/^[0-9]{1,20}$/, 'a number as text')

const job: Shape<JobRecord> = object(
  {
    issuer: line,
    repository: line,
    repository_id: digits,
    repository_owner_id: digits,
    run_id: digits,
    run_attempt: digits,
    check_run_id: nullable(digits),
    ref: nullable(line),
    sha: nullable(line),
    event_name: nullable(line),
    workflow_ref: nullable(line),
    actor: nullable(line),
  },
  {},
  'ignore',
)

export const endReason: Shape<EndReason> = oneOf(
  'revoked_by_job',
  'revoked_by_operator',
  'job_completed',
  'expired',
  'idle',
  'exhausted',
  'reissued',
)

const provider = text(PROVIDER_NAME, 'a provider name')
/** A route template and its method. */
const route = text(/^[\x20-\x7e]{1,1100}$/, 'a route')
/** More rows than any receipt of real work has, and few enough to show. */
const MAX_ROWS = 4096

export const receipt: Shape<Receipt> = object(
  {
    key_id: keyId,
    policy: text(POLICY_NAME, 'a policy name'),
    job,
    providers: list(provider, 1, 32),
    activations: object(
      {
        limit: integer(1, MAX_ACTIVATIONS),
        used: activations,
        given_back: count,
        refused: record(/^[a-z_]{1,64}$/, count, 64),
      },
      {},
      'ignore',
    ),
    minted_at: numericDate,
    expires_at: numericDate,
    first_used_at: nullable(numericDate),
    last_used_at: nullable(numericDate),
    ended_at: nullable(numericDate),
    end_reason: nullable(endReason),
    routes: list(object({ provider, route, activations: count }, {}, 'ignore'), 0, MAX_ROWS),
    models: record(LINE, count, MAX_ROWS),
    usage: object({ input_tokens: nullable(count), output_tokens: nullable(count) }, {}, 'ignore'),
    audit: object({ events: count, head: text(/^[0-9a-f]{64}$/, 'a SHA-256 in hex') }, {}, 'ignore'),
  },
  {},
  'ignore',
)

export const receiptAnswer: Shape<ReceiptAnswer> = object(
  {
    receipt,
    jws: text(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/, 'a compact JWS'),
    comment_by: oneOf('broker', 'action'),
  },
  {},
  'ignore',
)
