import type { MintEntry, MintOutcome, MintRefusal, TokenUse } from '#broker/ports.ts'
import { type AuditFact, jobRecord } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import { jobKey } from '#domain/job-identity.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { scopeText } from '#domain/scope.ts'
import { digestOf, sha256 } from './digest.ts'
import type { OpenGrant } from './grant-transaction.ts'

/** ID tokens that verified, per repository and minute of the clock; each is counted, whatever it led to. */
export const TOKENS_PER_MINUTE = 60

export type MintObjection = Omit<Extract<MintOutcome, { kind: 'refused' }>, 'kind'>

/** What is on record, and decides whether a grant may be minted. */
export interface MintRecord {
  readonly tokenIsUsed: boolean
  readonly jobIsOver: boolean
  /** The grant that the job has, or had, under this policy; not one that was replaced. */
  readonly earlier: EarlierGrant | null
  /** What the policy has granted to the run. */
  readonly run: Allowance
  /** What it has granted on the day. */
  readonly day: Allowance
}

export interface EarlierGrant {
  readonly idempotencyDigest: Uint8Array | null
  readonly mintedAt: NumericDate
  /** As time has left it. */
  readonly grant: OpenGrant
}

export interface Allowance {
  readonly keys: number
  readonly activations: number
}

/** Why a grant may not be minted; `null` when it may. */
export function objectionToMint(entry: MintEntry, record: MintRecord): MintObjection | null {
  if (record.tokenIsUsed) return { code: 'token_replayed' }
  // A job that is over has tokens which are still fresh.
  if (record.jobIsOver) return { code: 'job_ended' }
  if (record.earlier && !mayReplace(entry, record.earlier)) return { code: 'already_minted' }
  return overLimit(entry, record)
}

/** An earlier grant may be replaced when its key cannot have been used, and the asker knows its idempotency key. */
function mayReplace({ idempotencyKey }: MintEntry, { idempotencyDigest, grant }: EarlierGrant): boolean {
  const isSameAsk =
    idempotencyKey !== null &&
    idempotencyDigest !== null &&
    Buffer.compare(sha256(idempotencyKey), idempotencyDigest) === 0
  return isSameAsk && grant.used === 0 && grant.ended === null
}

/** What the policy has granted to the run and on the day, less the grant that is to be replaced. */
function overLimit({ grant, limits }: MintEntry, { earlier, run, day }: MintRecord): MintObjection | null {
  const runLess = earlier?.grant.life.limit ?? 0
  const dayLess = earlier && dayOf(earlier) === dayOf(grant) ? runLess : 0
  if (exceeds(run.keys - (earlier ? 1 : 0) + 1, limits.keysPerRun)) return limitExceeded('keys_per_run')
  if (exceeds(run.activations - runLess + grant.limit, limits.activationsPerRun))
    return limitExceeded('activations_per_run')
  if (exceeds(day.activations - dayLess + grant.limit, limits.activationsPerDay))
    return limitExceeded('activations_per_day')
  return null
}

function exceeds(amount: number, limit: number | null): boolean {
  return limit !== null && amount > limit
}

function limitExceeded(limit: NonNullable<MintObjection['limit']>): MintObjection {
  return { code: 'limit_exceeded', limit }
}

/** The first event of a grant. */
export function mintedFact(grant: Grant): AuditFact {
  return {
    type: 'key.minted',
    policy: grant.policy,
    job: jobRecord(grant.job),
    providers: [...grant.scope.routes.keys()],
    limit: grant.limit,
    expires_at: grant.expiresAt,
    idle_after: grant.idleAfterSeconds,
    scope: scopeText(grant.scope),
  }
}

/** The job is told a code; the operator finds the refusal in the broker's chain, under the id that the grant would have had. */
export function refusedMintFact(grant: Grant, { code, limit }: MintObjection): AuditFact {
  return {
    type: 'mint.refused',
    deny_id: `d_${grant.id.slice(2)}`,
    code,
    job: jobRecord(grant.job),
    considered: [
      {
        policy: grant.policy,
        check: limit ?? code,
        passed: false,
        expected: EXPECTED[limit ?? code],
        found: `a mint of ${grant.limit} activations`,
      },
    ],
  }
}

/** Of the first token beyond those of a minute, whatever else would have been said to it. */
export function overMinuteFact(fact: MintRefusal['fact']): AuditFact {
  const check = 'mints_per_minute'
  const considered = [{ policy: '*', check, passed: false, expected: EXPECTED[check], found: 'one more' }]
  return { ...fact, code: 'limit_exceeded', considered }
}

/** For the operator: what would have let the mint pass. */
const EXPECTED: Readonly<Record<MintObjection['code'] | NonNullable<MintObjection['limit']>, string>> = {
  token_replayed: 'an ID token that was not used before',
  already_minted: 'a job that had no key under this policy',
  job_ended: 'a job that is not over',
  limit_exceeded: 'a mint within the limits of the policy',
  keys_per_run: 'fewer keys of this run (limits.keys_per_run)',
  activations_per_run: 'fewer activations of this run (limits.activations_per_run)',
  activations_per_day: 'fewer activations of this day (limits.activations_per_day)',
  mints_per_minute: 'at most 60 mints of this repository within a minute',
}

export function tokenDigest({ issuer, jti }: TokenUse): Uint8Array {
  return digestOf(issuer, jti)
}

export function repositoryDigest({ issuer, repositoryId }: TokenUse): Uint8Array {
  return digestOf(issuer, repositoryId)
}

export function minuteOf(now: NumericDate): number {
  return Math.floor(now / 60)
}

export function jobDigest(job: Parameters<typeof jobKey>[0]): Uint8Array {
  return sha256(jobKey(job))
}

export function runDigest({ job }: Grant): Uint8Array {
  return digestOf(job.issuer, job.repositoryId, job.runId)
}

/** `YYYY-MM-DD`, in UTC. */
export function dayOf({ mintedAt }: { readonly mintedAt: NumericDate }): string {
  return new Date(mintedAt * 1000).toISOString().slice(0, 10)
}

/** When time may end a grant at the earliest: the sweep looks then. */
export function firstDueAt({ expiresAt, idleAfterSeconds, mintedAt }: Grant): NumericDate {
  return Math.min(expiresAt, mintedAt + (idleAfterSeconds ?? Number.POSITIVE_INFINITY))
}
