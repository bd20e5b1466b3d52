import type { Job } from './job-identity.ts'
import type { Pattern } from './pattern.ts'
import type { Policy } from './policy.ts'
import type { Provider } from './provider.ts'
import type { Route } from './route.ts'
import type { Scope } from './scope.ts'

/** What a job asks for when it mints. Everything but the providers is optional and can only narrow the policy. */
export interface Ask {
  readonly providers: readonly string[]
  readonly policy?: string
  readonly activations?: number
  readonly expiresInSeconds?: number
  readonly routes?: readonly Route[]
  readonly models?: readonly Pattern[]
}

/** What a policy gives a job that asked: the terms of the grant to be. */
export interface Terms {
  readonly policy: Policy
  readonly providers: readonly string[]
  readonly scope: Scope
  readonly activations: number
  readonly expiresInSeconds: number
}

/** One check of one policy against one job, for the operator's eyes: it holds the policy's own values. */
export interface CheckResult {
  readonly policy: string
  /** Names the check: `repository_id`, `event_name`, `claims.ref`, `activations`, … */
  readonly check: string
  readonly passed: boolean
  readonly expected: string
  readonly found: string
}

export type Decision =
  | { readonly kind: 'allowed'; readonly terms: Terms; readonly trace: readonly CheckResult[] }
  | {
      readonly kind: 'denied'
      /** For the job: names the claim and the token's own value if a policy names the repository, else says nothing. */
      readonly sentence: string
      readonly trace: readonly CheckResult[]
    }

/**
 * Reads the policies from top to bottom; the first that matches the job and covers what was asked decides.
 *
 * @param providers those of the configuration, by name
 */
export declare function decide(
  policies: readonly Policy[],
  providers: ReadonlyMap<string, Provider>,
  job: Job,
  ask: Ask,
): Decision
