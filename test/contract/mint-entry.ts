import { createHash, randomBytes } from 'node:crypto'
import type { Ledger, MintEntry, RequestRecord } from '#broker/ports.ts'
import type { Grant } from '#domain/grant.ts'
import type { Job } from '#domain/job-identity.ts'
import { formatKeyId } from '#domain/key.ts'
import type { PolicyLimits } from '#domain/policy.ts'

/** 2026-09-22T00:00:00Z: the start of a day and of a minute. */
export const T0 = 1_790_035_200

export const NO_LIMITS: PolicyLimits = {
  keysPerRun: null,
  activationsPerRun: null,
  activationsPerDay: null,
  concurrentRequests: 32,
}

export interface MintOptions {
  readonly job?: Partial<Job>
  readonly policy?: string
  readonly limit?: number
  readonly at?: number
  readonly expiresIn?: number
  readonly idleAfter?: number | null
  readonly jti?: string
  readonly idempotencyKey?: string | null
  readonly limits?: Partial<PolicyLimits>
}

/** A mint of a job of its own in a repository of its own, but for what is said otherwise. */
export function mintEntry(options: MintOptions = {}): MintEntry {
  const at = options.at ?? T0
  const job: Job = {
    issuer: 'https://token.actions.githubusercontent.com',
    repositoryId: digits(),
    repositoryOwnerId: '10',
    repository: 'acme/web',
    runId: digits(),
    runAttempt: '1',
    checkRunId: digits(),
    claims: { ref: 'refs/heads/main', event_name: 'push', sha: 'a'.repeat(40) },
    ...options.job,
  }
  const grant: Grant = {
    id: formatKeyId(randomBytes(16)),
    policy: options.policy ?? 'review',
    job,
    scope: {
      routes: new Map([['openai', [{ method: 'POST', path: '/v1/responses' }]]]),
      models: ['gpt-5-mini'],
    },
    limit: options.limit ?? 10,
    mintedAt: Math.floor(at),
    expiresAt: Math.floor(at) + (options.expiresIn ?? 3600),
    idleAfterSeconds: options.idleAfter ?? null,
    concurrentRequests: 32,
  }
  return {
    grant,
    keyDigest: createHash('sha256').update(grant.id).digest(),
    token: {
      issuer: job.issuer,
      jti: options.jti ?? randomBytes(16).toString('hex'),
      repositoryId: job.repositoryId,
      expiresAt: at + 600,
    },
    idempotencyKey: options.idempotencyKey ?? null,
    limits: { ...NO_LIMITS, ...options.limits },
    now: at,
  }
}

/** A grant that stands in the ledger. */
export async function minted(ledger: Ledger, options: MintOptions = {}): Promise<Grant> {
  const entry = mintEntry(options)
  const outcome = await ledger.mint(entry)
  if (outcome.kind !== 'minted') throw new Error(`not minted: ${outcome.code}`)
  return entry.grant
}

let requests = 0

export function aRequest(requestId = `r_${++requests}`): RequestRecord {
  return { requestId, provider: 'openai', route: 'POST /v1/responses', model: 'gpt-5-mini' }
}

function digits(): string {
  return String(randomBytes(6).readUIntBE(0, 6))
}
