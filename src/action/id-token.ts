import { readFileSync } from 'node:fs'
import type { Answer } from '#client/answer.ts'
import { exchange } from '#client/exchange.ts'
import { isWorthASecondTry } from '#client/repeat.ts'
import { object, text } from '#wire/shape.ts'
import { mask } from './mask.ts'
import { StepError } from './step-error.ts'

/** The runner's token service answers in some 100 ms, and now and then not at all. */
const TRY_MILLISECONDS = 5_000
const TRIES = 3

const tokenAnswer = object(
  { value: text(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/, 'an ID token') },
  {},
  'ignore',
)

/**
 * A fresh ID token of this job, masked.
 *
 * One GET by hand: `getIDToken` of `@actions/core` loads undici, which takes longer than everything else that main does.
 *
 * @param deadline on `performance.now()`'s scale
 * @throws {StepError} when the job may not have one, or GitHub does not give one in time
 */
export async function idToken(audience: string, deadline: number): Promise<string> {
  const url = process.env['ACTIONS_ID_TOKEN_REQUEST_URL']
  const bearer = process.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']
  if (!url || !bearer || !URL.canParse(url)) throw new StepError(isForksPullRequest() ? FORK : NO_PERMISSION)
  mask(bearer)

  const question = {
    method: 'GET',
    url: `${url}${url.includes('?') ? '&' : '?'}audience=${encodeURIComponent(audience)}`,
    headers: { authorization: `Bearer ${bearer}` },
    status: 200,
    shape: tokenAnswer,
  } as const
  let answer: Answer<{ readonly value: string }> = { kind: 'unreachable', why: 'no time left' }
  for (let left = TRIES; left > 0; left--) {
    const milliseconds = Math.min(TRY_MILLISECONDS, Math.floor(deadline - performance.now()))
    if (milliseconds <= 0) break
    answer = await exchange({ ...question, timeoutMilliseconds: milliseconds })
    if (answer.kind === 'ok') {
      mask(answer.value.value)
      return answer.value.value
    }
    if (!isWorthASecondTry(answer)) break
  }
  throw new StepError(
    `Cannot get an ID token: GitHub's token service did not give one (${reason(answer)}). Run the job again; ` +
      'https://www.githubstatus.com tells of outages.',
  )
}

const NO_PERMISSION =
  'Cannot get an ID token: the job has no permission for it. Add `permissions: id-token: write` to the job ' +
  '(permissions that are not named are then none: name `contents: read` too if the job checks out).'

const FORK =
  'Cannot get an ID token: this is the pull request of a fork, and GitHub gives those none. Skip the step with ' +
  '`if: github.event.pull_request.head.repo.full_name == github.repository`.'

/** `pull_request` from another repository, or from one that was deleted since. Targets' events do get ID tokens. */
function isForksPullRequest(): boolean {
  if (process.env['GITHUB_EVENT_NAME'] === 'pull_request_target') return false
  try {
    const { pull_request } = JSON.parse(readFileSync(process.env['GITHUB_EVENT_PATH'] ?? '', 'utf8'))
    const head = pull_request.head.repo
    return head === null || head.full_name !== (pull_request.base?.repo?.full_name ?? process.env['GITHUB_REPOSITORY'])
  } catch {
    return false
  }
}

function reason(answer: Answer<unknown>): string {
  if (answer.kind === 'ok') return 'no reason'
  return answer.kind === 'refused' ? `status ${answer.status}` : answer.why
}
