/** A job of GitHub Actions, as its REST API and its webhooks name it. */
export interface EndedJob {
  readonly repositoryId: string
  /** `owner/name`. */
  readonly repository: string
  readonly runId: string
  readonly runAttempt: string
  readonly jobId: string
  readonly checkRunId: string
}

/**
 * The job of a `workflow_job` event that says it is over; `null` for the other actions.
 *
 * @param payload `undefined` when it is no JSON
 *
 * @see https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_job
 */
export function endedJob(payload: unknown): EndedJob | 'malformed' | null {
  if (payload === undefined) return 'malformed'
  return field(payload, 'action') === 'completed' ? (jobOf(payload) ?? 'malformed') : null
}

/** The job of one that says it is not over. */
export function otherJob(payload: unknown): EndedJob | null {
  return field(payload, 'action') === 'completed' ? null : jobOf(payload)
}

/**
 * The check run of a job, which ID tokens name. Its id is at the end of `check_run_url`; the job's own id is the same on
 * GitHub.com, which its documentation does not promise.
 */
export function checkRunIdOf(job: unknown): string | null {
  const url = field(job, 'check_run_url')
  return /\/check-runs\/([0-9]{1,20})$/.exec(typeof url === 'string' ? url : '')?.[1] ?? id(field(job, 'id'))
}

function jobOf(payload: unknown): EndedJob | null {
  const job = field(payload, 'workflow_job')
  const repository = field(payload, 'repository')
  const repositoryId = id(field(repository, 'id'))
  const name = field(repository, 'full_name')
  const runId = id(field(job, 'run_id'))
  const runAttempt = id(field(job, 'run_attempt'))
  const jobId = id(field(job, 'id'))
  const checkRunId = checkRunIdOf(job)
  if (repositoryId === null || runId === null || runAttempt === null || jobId === null || checkRunId === null)
    return null
  return { repositoryId, repository: typeof name === 'string' ? name : '', runId, runAttempt, jobId, checkRunId }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
}

/** JSON's numbers hold GitHub's ids exactly up to 2^53; one that is longer is no id. */
function id(value: unknown): string | null {
  return Number.isSafeInteger(value) && (value as number) > 0 ? String(value) : null
}
