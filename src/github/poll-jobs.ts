import type { Clock, Ledger, Log } from '#broker/ports.ts'
import { statusOf } from '#comment/keep-comment.ts'
import { readAll } from '#comment/request.ts'
import type { Job, JobName } from '#domain/job-identity.ts'
import type { App } from './app.ts'
import { checkRunIdOf } from './workflow-job.ts'

/** From the end of one look to the next. With the time that a look takes, a lost webhook costs less than 120 s. */
export const POLL_MILLISECONDS = 40_000

/** Requests under way at once. GitHub allows 100 for everything that the App does. */
const CONCURRENT_REQUESTS = 8
/** More living keys than one broker has. Beyond it, the newest are looked at. */
const MOST_LIVING = 10_000

export interface PollOptions {
  readonly ledger: Ledger
  readonly app: App
  readonly clock: Clock
  readonly log: Log
  /** Whether the App's GitHub is the one behind these tokens. */
  readonly serves: (issuer: string) => boolean
}

/** The run attempts whose keys are alive. Asking for one tells of all its jobs. */
interface Attempt {
  readonly job: Job
  /** By check run; `null`: the key belongs to the attempt. */
  readonly jobs: Map<string | null, JobName>
}

/**
 * Ends the keys of jobs that are over without anybody having said so: one look at GitHub. Asks nothing while no key is
 * alive. An attempt that cannot be looked at is looked at the next time, and its keys die by themselves if it never can.
 */
export function jobPoll({ ledger, app, clock, log, serves }: PollOptions): () => Promise<void> {
  async function look({ job, jobs }: Attempt): Promise<void> {
    const request = await app.requestsTo(job)
    if (request === null) return
    const ended = jobs.has(null) && (await attemptIsOver(app, job)) ? [jobs.get(null)!] : []
    if ([...jobs.keys()].some((checkRunId) => checkRunId !== null))
      for (const listed of await jobsOf(job, request)) {
        const mine = isCompleted(listed) && jobs.get(checkRunIdOf(listed))
        if (mine) ended.push(mine)
      }
    for (const name of ended) {
      const keys = await ledger.endJob(name, clock())
      if (keys.length > 0) log.info('job.ended', { repository_id: job.repositoryId, keys: keys.length, reason: 'poll' })
    }
  }

  return async () => {
    const living = await ledger.list({ alive: true, now: clock(), most: MOST_LIVING })
    const attempts = new Map<string, Attempt>()
    for (const { grant } of living) {
      const { job } = grant
      if (!serves(job.issuer)) continue
      const key = `${job.repositoryId} ${job.runId} ${job.runAttempt}`
      const attempt = attempts.get(key) ?? { job, jobs: new Map() }
      attempts.set(key, attempt)
      attempt.jobs.set(job.checkRunId, job)
    }
    const failures = new Map<string, number>()
    const waiting = [...attempts.values()]
    await Promise.all(
      Array.from({ length: CONCURRENT_REQUESTS }, async () => {
        for (let attempt = waiting.shift(); attempt; attempt = waiting.shift())
          await look(attempt).catch((error) => {
            const reason = String(statusOf(error) ?? (error instanceof Error ? error.name : 'unknown'))
            failures.set(reason, (failures.get(reason) ?? 0) + 1)
          })
      }),
    )
    for (const [reason, count] of failures) log.warn('github.poll_failed', { reason, count })
  }
}

/** Whether all jobs of the attempt are over. `null`: the App does not reach the repository. */
export async function attemptIsOver(app: App, job: Parameters<App['requestsTo']>[0] & AttemptName) {
  const request = await app.requestsTo(job)
  if (request === null) return null
  const { data } = await request(
    'GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}',
    place(job),
  )
  return isCompleted(data)
}

type AttemptName = Pick<JobName, 'runId' | 'runAttempt'> & { readonly repository: string }

function jobsOf(job: AttemptName, request: Parameters<typeof readAll>[0]): Promise<unknown[]> {
  const route = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs'
  return readAll(request, route, place(job), ({ jobs }) => jobs)
}

function place({ repository, runId, runAttempt }: AttemptName) {
  const [owner, repo] = repository.split('/')
  return { owner, repo, run_id: runId, attempt_number: runAttempt }
}

function isCompleted(listed: unknown): boolean {
  return (listed as { readonly status?: unknown }).status === 'completed'
}
