/** Claims of an ID token whose signature, issuer, audience and times have been verified. */
export type Claims = Readonly<Record<string, unknown>>

/** One GitHub Actions job, as its ID token proves it. Ids decide; names are for people. */
export interface Job {
  readonly issuer: string
  readonly repositoryId: string
  readonly repositoryOwnerId: string
  /** `owner/name`, for display only: names can be renamed, deleted and taken by others. */
  readonly repository: string
  readonly runId: string
  readonly runAttempt: string
  /** `null` where the issuer may leave it out (GitHub Enterprise Server); the budget is then that of the run attempt. */
  readonly checkRunId: string | null
  /** Every claim that is a string: what policies compare. */
  readonly claims: Readonly<Record<string, string>>
}

/** What tells one job from every other. */
export type JobName = Pick<Job, 'issuer' | 'repositoryId' | 'runId' | 'runAttempt' | 'checkRunId'>

/** What a token lacks to name a job. */
export interface IncompleteClaims {
  readonly missing: string
}

/**
 * Reads the job out of verified claims.
 *
 * @param checkRunId whether the issuer's configuration says that its tokens may come without that claim. Then the claim
 *   names no job even where it is there: a run attempt whose tokens came with and without it would have several budgets
 * @returns what is missing, when a claim that decides is absent, empty, or not a string
 */
export function jobIdentity(claims: Claims, checkRunId: 'required' | 'optional'): Job | IncompleteClaims {
  const text = (name: string): string | null => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    return typeof value === 'string' && value !== '' ? value : null
  }
  for (const name of ['iss', 'repository_id', 'repository_owner_id', 'repository', 'run_id', 'run_attempt'])
    if (text(name) === null) return { missing: name }
  if (text('check_run_id') === null && (checkRunId === 'required' || Object.hasOwn(claims, 'check_run_id')))
    return { missing: 'check_run_id' }
  const strings: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(claims)) if (typeof value === 'string') strings[name] = value
  return {
    issuer: text('iss')!,
    repositoryId: text('repository_id')!,
    repositoryOwnerId: text('repository_owner_id')!,
    repository: text('repository')!,
    runId: text('run_id')!,
    runAttempt: text('run_attempt')!,
    checkRunId: checkRunId === 'optional' ? null : text('check_run_id'),
    claims: strings,
  }
}

/** What one budget belongs to. */
export type BudgetUnit = 'job' | 'run_attempt'

/** `run_attempt` where the issuer may name no check run, so that all jobs of the attempt share one budget. */
export function budgetUnit(job: Pick<Job, 'checkRunId'>): BudgetUnit {
  return job.checkRunId === null ? 'run_attempt' : 'job'
}

/**
 * The text that is equal for two tokens exactly when they are of the same job: `(iss, repository_id, check_run_id)`, or
 * `(iss, repository_id, run_id, run_attempt)` without a check run. No part can hold the separator, a line feed.
 */
export function jobKey(job: JobName): string {
  const parts =
    job.checkRunId === null
      ? [job.issuer, job.repositoryId, 'run', job.runId, job.runAttempt]
      : [job.issuer, job.repositoryId, 'check', job.checkRunId]
  return parts.map((part) => encodeURIComponent(part)).join('\n')
}
