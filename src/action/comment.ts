import { setTimeout as sleep } from 'node:timers/promises'
import { getOctokit } from '@actions/github'
import { keepComment } from '#comment/keep-comment.ts'
import type { Answer, Request } from '#comment/request.ts'
import { isPassing, whyNot } from '#comment/why-not.ts'
import type { Receipt } from '#domain/receipt.ts'
import { COMMENT_MARKER, commentMarkdown, isWorthSaying } from '#views/comment.ts'
import { type JobRow, jobRow } from '#views/job-row.ts'
import { carried, joined, MOST_CARRIED, readCarried, summedUp } from './comment-state.ts'

/*
 * A file of its own in dist/, loaded when a comment is to be written and not before: GitHub's client takes longer to load
 * than everything else that post does.
 */

export interface CommentTask {
  readonly token: string
  /** `owner/name`. */
  readonly repository: string
  readonly number: number
  readonly receipt: Receipt
  readonly serverUrl: string
  /** On `performance.now()`'s scale. */
  readonly deadline: number
}

/** One request to GitHub gets that long. Milliseconds. */
const REQUEST_MILLISECONDS = 5_000
/** How long to wait before asking once more. Milliseconds. */
const RETRY_MILLISECONDS = 1_000
/**
 * How long to wait before looking whether what was written stands, besides twice what looking and writing took; the jobs
 * of a matrix end together. Milliseconds.
 */
const SETTLE = { least: 800, more: 1_400 }
/** GitHub takes 65,536. */
const MOST_CHARACTERS = 60_000
/** More than fit before the deadline. */
const LOOKS = 20

/**
 * Adds the job to the comment on its pull request, beside what other jobs wrote there.
 *
 * @returns why it could not be written, as one goes on after `because `; `null` when it stands, or when there is nothing
 *   to say
 */
export async function writeComment(task: CommentTask): Promise<string | null> {
  const [owner = '', repo = ''] = task.repository.split('/')
  const request = requester(task)
  const mine = jobRow(task.receipt)
  /** Not beyond the deadline: what is asked after it is not sent. */
  const pause = (milliseconds: number) => sleep(Math.max(0, Math.min(milliseconds, task.deadline - performance.now())))
  try {
    const author = await whoAmI(request, pause)
    await keepComment({
      request,
      owner,
      repo,
      number: task.number,
      marker: COMMENT_MARKER,
      isOurs: (comment) => comment.author?.login === author,
      write: (bodies) => commentBody(bodies, mine, task.serverUrl),
      settle: (took) => pause(SETTLE.least + Math.random() * SETTLE.more + 2 * took),
      hesitate: true,
      looks: LOOKS,
    })
    return null
  } catch (error) {
    return whyNot(error, 'the job needs `permissions: pull-requests: write`')
  }
}

function requester({ token, deadline }: CommentTask): Request {
  const octokit = getOctokit(token)
  return (route, parameters = {}) => {
    const left = Math.floor(deadline - performance.now())
    if (left <= 0) throw new Error('no time left')
    return octokit.request(route, {
      ...parameters,
      request: { signal: AbortSignal.timeout(Math.min(left, REQUEST_MILLISECONDS)) },
    })
  }
}

/**
 * The login that comments made with this token have. A job's own token may ask GraphQL for it, and not `GET /user`; with
 * a server that knows neither it can only be the usual one.
 *
 * @throws what a request throws that may well work a little later: a guess could be wrong
 */
async function whoAmI(request: Request, pause: (milliseconds: number) => Promise<void>): Promise<string> {
  const graphql = process.env['GITHUB_GRAPHQL_URL']?.replace(/\/graphql$/, '')
  const asks = [
    () =>
      request('POST /graphql', { query: '{ viewer { login } }', ...(graphql && { baseUrl: graphql }) }).then(viewer),
    () => request('GET /user').then(({ data }) => data ?? {}),
  ]
  for (const ask of asks)
    for (let tries = 2; tries > 0; tries--)
      try {
        const { login } = await ask()
        if (typeof login === 'string') return login
        break
      } catch (error) {
        if (!isPassing(error)) break
        if (tries === 1) throw error
        await pause(RETRY_MILLISECONDS)
      }
  return 'github-actions[bot]'
}

/** GraphQL says with status 200 that a limit is reached. */
function viewer({ data }: Answer): { readonly login?: unknown } {
  const limit = data?.errors?.some?.((error: { type?: unknown } | null) => error?.type === 'RATE_LIMITED')
  if (limit) throw Object.assign(new Error('rate limit'), { status: 429 })
  return data?.data?.viewer ?? {}
}

/** What the comment says once this job is in it. Of the jobs that the comment had, its own earlier row goes. */
export function commentBody(bodies: readonly string[], mine: JobRow, serverUrl: string): string | null {
  if (bodies.length === 0 && !isWorthSaying([mine])) return null
  const all = joined(bodies.map(readCarried), mine)
  for (let most = MOST_CARRIED; ; most = Math.max(1, most - 5)) {
    const { rows, sums } = summedUp(all, most)
    const body = `${COMMENT_MARKER}\n${commentMarkdown(rows, { serverUrl, beside: sums })}\n${carried({ rows, sums })}\n`
    if (body.length < MOST_CHARACTERS || most === 1) return body
  }
}
