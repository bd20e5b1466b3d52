import { statusOf } from '#comment/keep-comment.ts'
import type { Request } from '#comment/request.ts'
import type { Job } from '#domain/job-identity.ts'
import { pullRequestOf, refsOfPullRequest } from '#domain/pull-request.ts'

/** Where people look for what a job did: the comment of a pull request, or else a check run beside the job's own. */
export type ReportPlace =
  | { readonly kind: 'comment'; readonly number: number; readonly refs: readonly string[] }
  | { readonly kind: 'check run'; readonly sha: string; readonly refs: readonly string[] }

/** @returns `null` for a job whose token names neither a pull request nor a commit */
export async function reportPlace(job: Job, request: Request): Promise<ReportPlace | null> {
  const { ref = '', sha = '', head_ref: headRef = null } = job.claims
  const number = pullRequestOf(job)
  if (number !== null) {
    const branch = headRef && (await isOwnBranch(job, number, headRef, request)) ? headRef : null
    return { kind: 'comment', number, refs: refsOfPullRequest(number, branch) }
  }
  if (!/^[0-9a-f]{40,64}$/.test(sha)) return null
  const branch = /^refs\/heads\/(.+)$/.exec(ref)?.[1]
  const open = branch === undefined ? null : await openPullRequest(job, sha, branch, request)
  return open === null
    ? { kind: 'check run', sha, refs: [ref] }
    : { kind: 'comment', number: open, refs: refsOfPullRequest(open, branch!) }
}

/**
 * Whether the branch is one of this repository. That of a fork may have the name of one here, such as `main`, and what
 * ran on that one is not for the pull request to show.
 */
async function isOwnBranch(job: Job, number: number, branch: string, request: Request): Promise<boolean> {
  const [owner, repo] = job.repository.split('/')
  try {
    const { data } = await request('GET /repos/{owner}/{repo}/pulls/{pull_number}', {
      owner,
      repo,
      pull_number: number,
    })
    return isHead(data as PullRequest, job, branch)
  } catch (error) {
    if (![403, 404].includes(statusOf(error) ?? 0)) throw error
    return false
  }
}

function isHead({ head }: PullRequest, { repositoryId }: Job, branch: string): boolean {
  return head?.ref === branch && String(head.repo?.id) === repositoryId
}

/** The pull request that asks to merge the branch that was pushed. */
async function openPullRequest(job: Job, sha: string, branch: string, request: Request): Promise<number | null> {
  const [owner, repo] = job.repository.split('/')
  const { data } = await request('GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls', {
    owner,
    repo,
    commit_sha: sha,
  })
  const found = (data as readonly PullRequest[]).find((pull) => pull.state === 'open' && isHead(pull, job, branch))
  return found && Number.isSafeInteger(found.number) ? found.number : null
}

interface PullRequest {
  readonly number: number
  readonly state: string
  readonly head?: { readonly ref: string; readonly repo: { readonly id: number } | null }
}
