import type { Pattern } from './pattern.ts'
import type { Route } from './route.ts'

/** The operator's rule: which jobs may have what. Compiled from one entry of `policies:`. */
export interface Policy {
  readonly name: string
  /** At least one of the two id lists is there; where both are, both must match. */
  readonly repositoryIds: readonly string[] | null
  readonly repositoryOwnerIds: readonly string[] | null
  /** Claim name → patterns, any of which may match; every named claim must. `event_name` is always among them. */
  readonly claims: ReadonlyMap<string, readonly Pattern[]>
  readonly providers: readonly string[]
  /** Of one job. */
  readonly activations: number
  readonly expiresInSeconds: number
  /** `null`: idleness does not end a key. */
  readonly idleAfterSeconds: number | null
  /** `null`: each provider's own routes. */
  readonly routes: readonly Route[] | null
  /** `null`: any model. */
  readonly models: readonly Pattern[] | null
  readonly limits: PolicyLimits
}

/** `null`: no limit, but for concurrent requests, which always have one. */
export interface PolicyLimits {
  readonly keysPerRun: number | null
  readonly activationsPerRun: number | null
  /** Of a day in UTC. */
  readonly activationsPerDay: number | null
  readonly concurrentRequests: number
}

/** The events that match without being named: those in which no outsider decides what runs. */
export const DEFAULT_EVENTS: readonly string[] = [
  'push',
  'schedule',
  'workflow_dispatch',
  'merge_group',
  'pull_request',
]

export const DEFAULT_CONCURRENT_REQUESTS = 32
export const DEFAULT_EXPIRES_IN_SECONDS = 3600
export const MAX_ACTIVATIONS = 1_000_000_000
/** 7 days. */
export const MAX_LIFE_SECONDS = 604_800
