import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IdentifiedJob } from '#broker/identify-job.ts'
import type { Ports, VerifiedToken } from '#broker/ports.ts'
import { digest, randomBytes } from '#crypto/digest.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import { sealer } from '#crypto/seal.ts'
import { type Job, jobIdentity } from '#domain/job-identity.ts'
import { DEFAULT_CONCURRENT_REQUESTS, DEFAULT_EVENTS, type Policy } from '#domain/policy.ts'
import { presets } from '#domain/presets.ts'
import { refusal } from '#domain/refusal.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { CLAIMS } from '#test/support/issuer.ts'

/** The verbs' world with a real ledger; time stands still, and an ID token is the JSON of what it proves. */
export interface World extends Ports {
  /** Seconds since the epoch. */
  now: number
  readonly held: Map<string, string>
  policies: Policy[]
  close(): Promise<void>
}

export async function startWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'till-'))
  const ledger = await openSqliteLedger({ path: join(folder, 'till.db') })
  const seal = await sealer(randomBytes(32))
  const held = new Map([
    ['openai', 'sk-openai'],
    ['anthropic', 'sk-anthropic'],
  ])
  const world: World = {
    now: 1_795_186_800.25,
    held,
    policies: [policy()],
    ledger,
    verifier: {
      verify: async (token) =>
        token.startsWith('{')
          ? (JSON.parse(token) as VerifiedToken)
          : refusal('token_invalid', `what the verifier says of ${token}`),
    },
    signer: await receiptSigner({ ledger, seal }),
    credentials: { read: (provider) => held.get(provider) ?? null },
    rules: () => ({ policies: world.policies, providers: presets }),
    clock: () => world.now,
    random: randomBytes,
    digest,
    log: { info() {}, warn() {}, error() {} },
    async close() {
      await ledger.close()
      rmSync(folder, { recursive: true })
    },
  }
  return world
}

export function policy(changes: Partial<Policy> = {}): Policy {
  return {
    name: 'review',
    repositoryIds: ['101'],
    repositoryOwnerIds: null,
    claims: new Map([['event_name', DEFAULT_EVENTS]]),
    providers: ['openai', 'anthropic'],
    activations: 25,
    expiresInSeconds: 3600,
    idleAfterSeconds: null,
    routes: null,
    models: null,
    limits: {
      keysPerRun: null,
      activationsPerRun: null,
      activationsPerDay: null,
      concurrentRequests: DEFAULT_CONCURRENT_REQUESTS,
      ...changes.limits,
    },
    ...changes,
  }
}

let tokens = 0

/** An ID token of a job that pushed to acme/web; each call makes a fresh one. */
export function idToken(
  claims: Record<string, unknown> = {},
  checkRunId: 'required' | 'optional' = 'required',
): string {
  const token: VerifiedToken = {
    kind: 'verified',
    claims: { iss: 'https://issuer.test', ...CLAIMS, check_run_id: '90001', ...claims },
    jti: `jti-${++tokens}`,
    expiresAt: 1_795_187_100,
    checkRunId,
  }
  return JSON.stringify(token)
}

/** A job that has proved itself, with a fresh token. */
export function caller(claims: Record<string, unknown> = {}): IdentifiedJob {
  const { claims: all, jti, expiresAt } = JSON.parse(idToken(claims)) as VerifiedToken
  const job = jobIdentity(all, 'required') as Job
  return { kind: 'job', job, token: { issuer: job.issuer, jti, repositoryId: job.repositoryId, expiresAt } }
}
