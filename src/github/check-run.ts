import { statusOf } from '#comment/keep-comment.ts'
import { type Request, readAll } from '#comment/request.ts'
import type { Job } from '#domain/job-identity.ts'
import { commentMarkdown, isWorthSaying, jobsVerdict } from '#views/comment.ts'
import type { JobRow } from '#views/job-row.ts'

const NAME = 'Till'

interface Told {
  /** Of the App that writes. */
  readonly appId: number
  readonly job: Job
  readonly sha: string
  readonly rows: readonly JobRow[]
  readonly serverUrl: string
}

/** Writes what the jobs of a run did with their keys as a check run on its commit: one for each run, updated in place. */
export async function keepCheckRun(request: Request, { appId, job, sha, rows, serverUrl }: Told): Promise<void> {
  if (!isWorthSaying(rows)) return
  const [owner, repo] = job.repository.split('/')
  const externalId = `till-${job.runId}`
  const output = { title: jobsVerdict(rows), summary: commentMarkdown(rows, { serverUrl }) }
  const said = { status: 'completed', conclusion: 'neutral', output }
  const route = 'GET /repos/{owner}/{repo}/commits/{ref}/check-runs'
  const found = await readAll<CheckRun>(
    request,
    route,
    // The newest alone would be that of any one run of this commit.
    { owner, repo, ref: sha, check_name: NAME, app_id: appId, filter: 'all' },
    ({ check_runs: runs }) => runs,
  )
  const mine = found.find(({ external_id, app }) => external_id === externalId && (app?.id ?? appId) === appId)
  if (mine?.output?.title === output.title && mine.output.summary?.trim() === output.summary.trim()) return
  const isUpdated = mine && (await update(request, { owner, repo, check_run_id: mine.id, ...said }))
  if (isUpdated) return
  const created = { owner, repo, name: NAME, head_sha: sha, external_id: externalId, ...said }
  await request('POST /repos/{owner}/{repo}/check-runs', created)
}

/** Only the App that made one can change it: where GitHub does not tell whose it is, this does. */
async function update(request: Request, parameters: object): Promise<boolean> {
  try {
    await request('PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}', { ...parameters })
    return true
  } catch (error) {
    if (![403, 404].includes(statusOf(error) ?? 0)) throw error
    return false
  }
}

interface CheckRun {
  readonly id: number
  readonly external_id: string | null
  /** Anybody with `checks: write` can give theirs our name and id. */
  readonly app?: { readonly id: number } | null
  readonly output?: { readonly title: string | null; readonly summary: string | null }
}
