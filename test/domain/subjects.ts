import type { Grant, GrantState } from '#domain/grant.ts'
import { type Job, jobIdentity } from '#domain/job-identity.ts'
import type { Policy } from '#domain/policy.ts'
import { presets } from '#domain/presets.ts'
import type { Provider } from '#domain/provider.ts'
import { parseRoute, type Route } from '#domain/route.ts'

/** The claims of a push to the main branch of acme/web. */
const CLAIMS = {
  iss: 'https://token.actions.githubusercontent.com',
  repository: 'acme/web',
  repository_id: '101',
  repository_owner: 'acme',
  repository_owner_id: '11',
  run_id: '7001',
  run_attempt: '1',
  check_run_id: '90001',
  event_name: 'push',
  ref: 'refs/heads/main',
  environment: 'agents',
}

/** `undefined` removes a claim. */
export function aJob(claims: Readonly<Record<string, string | undefined>> = {}): Job {
  const all = { ...CLAIMS, ...claims }
  const present = Object.entries(all).filter(([, value]) => value !== undefined)
  const job = jobIdentity(Object.fromEntries(present), all.check_run_id === undefined ? 'optional' : 'required')
  if ('missing' in job) throw new Error(`no job without ${job.missing}`)
  return job
}

/** Repository 101, OpenAI, 50 activations in an hour. */
export function aPolicy(part: Partial<Policy> = {}): Policy {
  return {
    name: 'review',
    repositoryIds: ['101'],
    repositoryOwnerIds: null,
    claims: new Map(),
    providers: ['openai'],
    activations: 50,
    expiresInSeconds: 3600,
    idleAfterSeconds: null,
    routes: null,
    models: null,
    limits: { keysPerRun: null, activationsPerRun: null, activationsPerDay: null, concurrentRequests: 32 },
    ...part,
  }
}

/** An API of a company's own, whose requests name no model. */
export const billing: Provider = {
  name: 'billing',
  origin: 'https://billing.internal',
  header: { name: 'authorization', before: 'Bearer ', after: '' },
  base: '',
  prefix: null,
  routes: routes('GET /invoices/*', 'POST /invoices'),
  free: routes('GET /health'),
  model: 'none',
}

export const providers: ReadonlyMap<string, Provider> = new Map([...presets, ['billing', billing]])

export function routes(...texts: readonly string[]): readonly Route[] {
  return texts.map((text) => {
    const route = parseRoute(text)
    if (typeof route === 'string') throw new Error(route)
    return route
  })
}

/** Minted at 1000, 3 activations, expires at 2000. */
export function aGrant(part: Partial<Grant> = {}): Grant {
  return {
    id: 'k_0000000000000000000001',
    policy: 'review',
    job: aJob(),
    scope: { routes: new Map([['openai', routes('POST /v1/responses')]]), models: null },
    limit: 3,
    mintedAt: 1000,
    expiresAt: 2000,
    idleAfterSeconds: null,
    concurrentRequests: 32,
    ...part,
  }
}

export function aState(part: Partial<GrantState> = {}): GrantState {
  return { used: 0, givenBack: 0, activeAt: 1000, ended: null, ...part }
}
