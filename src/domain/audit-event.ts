import type { EndReason } from './grant.ts'
import type { Job } from './job-identity.ts'
import type { NumericDate } from './numeric-date.ts'
import type { RefusalCode } from './refusal.ts'
import type { ScopeText } from './scope.ts'

/** The job as it stands in events, receipts and answers: ids decide, the rest is for people. Values are cut to 256. */
export interface JobRecord {
  readonly issuer: string
  readonly repository: string
  readonly repository_id: string
  readonly repository_owner_id: string
  readonly run_id: string
  readonly run_attempt: string
  readonly check_run_id: string | null
  readonly ref: string | null
  readonly sha: string | null
  readonly event_name: string | null
  readonly workflow_ref: string | null
  readonly actor: string | null
}

/** What happened, without its place in a chain. No bodies, no header values, no secrets. */
export type AuditFact =
  | {
      readonly type: 'key.minted'
      readonly policy: string
      readonly job: JobRecord
      readonly providers: readonly string[]
      readonly limit: number
      readonly expires_at: NumericDate
      readonly idle_after: number | null
      readonly scope: ScopeText
    }
  | {
      readonly type: 'mint.refused'
      /** `d_…`: what `till policy explain` takes. */
      readonly deny_id: string
      readonly code: RefusalCode
      readonly job: JobRecord
      /** The checks of the policies that were considered. Operators only: `expected` holds the policy's own values. */
      readonly considered: readonly {
        readonly policy: string
        readonly check: string
        readonly passed: boolean
        readonly expected: string
        readonly found: string
      }[]
    }
  | {
      readonly type: 'activation'
      readonly request_id: string
      readonly provider: string
      readonly route: string
      readonly model: string | null
      readonly used: number
    }
  | {
      readonly type: 'request.refused'
      readonly code: RefusalCode
      readonly provider: string
      /** Method and path as asked, cut to 256 characters, without the query. */
      readonly route: string
      readonly model: string | null
      /** Equal refusals that came close together are one event. */
      readonly count: number
    }
  | {
      readonly type: 'request.finished'
      readonly request_id: string
      readonly provider: string
      readonly route: string
      readonly free: boolean
      /** The status that the client got; `null` when it went away before. */
      readonly status: number | null
      readonly outcome:
        | 'answered'
        | 'client_gone'
        | 'cut'
        | 'provider_failed'
        | 'provider_timeout'
        | 'credential_rejected'
      readonly bytes_in: number
      readonly bytes_out: number
      readonly milliseconds: number
      readonly model: string | null
      readonly input_tokens: number | null
      readonly output_tokens: number | null
    }
  | { readonly type: 'activation.given_back'; readonly request_id: string; readonly reason: 'dns' | 'connect' | 'tls' }
  | { readonly type: 'key.ended'; readonly reason: EndReason }
  | { readonly type: 'operator.revoke'; readonly operator: string }
  | {
      /** A provider's credential was sealed, or took the place of another. Stands in the broker's chain. */
      readonly type: 'operator.set_credential' | 'operator.rotate_credential'
      readonly operator: string
      readonly provider: string
    }
  | {
      /** A key that had ended long ago was removed with its chain. Stands in the broker's chain. */
      readonly type: 'operator.forget'
      /** `retention`: the configuration said so. */
      readonly operator: string
      readonly key: string
      /** How many events its chain had, and the hash of the last in hex. */
      readonly events: number
      readonly head: string
    }

/** The chain of what belongs to no grant: refused mints, credentials that were set, keys that were forgotten. */
export const BROKER_CHAIN = 'broker'

/** A fact in its place: `prev` is the hash of the event before it in the same chain, 64 zeros for the first. */
export type AuditEvent = AuditFact & {
  /** A key id, or `broker`. */
  readonly chain: string
  /** From 1, without gaps. */
  readonly seq: number
  readonly at: NumericDate
  readonly prev: string
}

export const FIRST_PREV = '0'.repeat(64)

/** The text whose SHA-256 is the event's hash, and the next event's `prev`: canonical JSON (RFC 8785). */
export function eventText(event: AuditEvent): string {
  return canonicalJson(event)
}

/**
 * Canonical JSON (RFC 8785): names sorted by UTF-16 code units, no white space, numbers and strings as ECMAScript
 * writes them.
 *
 * @throws {TypeError} for what I-JSON cannot hold: lone surrogates, numbers that are not finite, functions, `undefined`
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return JSON.stringify(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('Cannot write a number that is not finite')
    return JSON.stringify(value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new TypeError('Cannot write a lone surrogate')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object') throw new TypeError(`Cannot write a ${typeof value}`)
  const object = value as Record<string, unknown>
  const members = Object.keys(object)
    .sort()
    .map((name) => `${canonicalJson(name)}:${canonicalJson(object[name])}`)
  return `{${members.join(',')}}`
}

/**
 * A text that a job chose, fit for an event: well-formed, at most 256 code units, without control characters and without
 * those that turn the direction of what is read after them (CVE-2021-42574). A key in it is struck out: who reads the
 * ledger, a receipt or a comment must not hold one.
 */
export function recordable(text: string): string {
  const open = text.includes('till_') ? text.replace(KEY_LIKE, '[key]') : text
  const cut = open.length > 256 ? `${open.slice(0, 255)}…` : open
  return cut.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '\ufffd')
}

/** A key, an operator's token, or the better part of one. */
const KEY_LIKE = /till_(?:admin_)?[0-9A-Za-z]{16,}/g

/** What events, receipts and answers say of a job. */
export function jobRecord(job: Job): JobRecord {
  const claim = (name: string) => (Object.hasOwn(job.claims, name) ? recordable(job.claims[name]!) : null)
  return {
    issuer: recordable(job.issuer),
    repository: recordable(job.repository),
    repository_id: recordable(job.repositoryId),
    repository_owner_id: recordable(job.repositoryOwnerId),
    run_id: recordable(job.runId),
    run_attempt: recordable(job.runAttempt),
    check_run_id: job.checkRunId === null ? null : recordable(job.checkRunId),
    ref: claim('ref'),
    sha: claim('sha'),
    event_name: claim('event_name'),
    workflow_ref: claim('workflow_ref'),
    actor: claim('actor'),
  }
}
