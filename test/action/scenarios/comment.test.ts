import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Receipt } from '#domain/receipt.ts'
import { accounted, json, KEY_ID, minted, RECEIPT } from '#test/support/fake-broker.ts'
import { type GitHub, startGitHub } from '#test/support/github.ts'
import { job } from './job.ts'

let github: GitHub

beforeAll(async () => {
  github = await startGitHub()
})
afterAll(() => github.close())
beforeEach(() => {
  github.answer = () => undefined
  github.asked.length = 0
})

/** A job of a pull request that has used its key, up to its post step. */
async function jobOf(
  number: number,
  receipt: Partial<Receipt> = {},
  inputs: Record<string, string> = {},
  commentBy: 'action' | 'broker' = 'action',
) {
  const id = receipt.key_id ?? KEY_ID
  const { step } = await job({
    inputs: { 'github-token': github.user.token, ...inputs },
    eventName: 'pull_request',
    event: { pull_request: { number } },
    answers: {
      'POST /v1/keys': (_, response, url) => json(response, 201, minted(url, { id })),
      [`DELETE /v1/keys/${id}`]: (_, response) => json(response, 200, { ...accounted(receipt), comment_by: commentBy }),
    },
  })
  Object.assign(step.env, { GITHUB_API_URL: github.url })
  expect((await step.main()).annotations).toEqual([])
  return step
}

describe('the comment on the pull request', () => {
  test('is one for all jobs: the second adds its row', async () => {
    const number = await github.pullRequest()
    await github.api('POST', `/repos/acme/web/issues/${number}/comments`, { body: 'first!' })
    await (await jobOf(number)).post()
    const other = { key_id: 'k_0000000000000000000002', job: { ...RECEIPT.job, check_run_id: '90002' } }
    await (
      await jobOf(number, { ...other, activations: { ...RECEIPT.activations, used: 1, refused: { scope_denied: 2 } } })
    ).post()
    const [, comment, ...more] = await github.comments(number)
    expect(more).toEqual([])
    expect(comment!.body).toContain('### Till: 6 of 50 activations used by 2 jobs · 2 refused · all keys ended')
    expect(comment!.body).toContain('| `scope_denied` | 2 | 1 |')
  })

  test('says what the job did with its key', async () => {
    const number = await github.pullRequest()
    await (await jobOf(number)).post()
    const [first] = await github.comments(number)
    expect(first!.body).toContain('### Till: 5 of 25 activations used · 0 refused · key revoked')
    expect(first!.user.login).toBe(github.user.login)
  })

  test('is not written for a key that was not used, not refused, and closed', async () => {
    const number = await github.pullRequest()
    const unused = { limit: 25, used: 0, given_back: 0, refused: {} }
    const { log } = await (await jobOf(number, { activations: unused })).post()
    expect(await github.comments(number)).toEqual([])
    expect(log).not.toContain('comment')
  })

  test('is found behind a hundred others, and left alone when nothing changed', async () => {
    const number = await github.pullRequest()
    for (let n = 0; n < 120; n++)
      await github.api('POST', `/repos/acme/web/issues/${number}/comments`, { body: `comment ${n}` })
    const step = await jobOf(number)
    await step.post()
    await step.post()
    const written = github.asked.filter((what) => /^(POST|PATCH|DELETE) \/repos/.test(what))
    expect(written).toEqual([`POST /repos/acme/web/issues/${number}/comments`])
  })

  test.each([
    ['never', 'action', 0],
    ['auto', 'broker', 0],
    ['auto', 'action', 1],
    ['always', 'broker', 1],
  ] as const)('comment: %s, when the broker says "%s": %i', async (comment, by, comments) => {
    const number = await github.pullRequest()
    await (await jobOf(number, {}, { comment }, by)).post()
    expect(await github.comments(number)).toHaveLength(comments)
  })

  test.each([
    ['a token that may not', 403, 'Resource not accessible by integration', 'pull-requests: write'],
    ['a locked conversation', 403, 'Unable to create comment because issue is locked.', 'locked'],
    ['a pull request that is gone', 404, 'Not Found', 'no such pull request'],
    ['a rate limit', 403, 'API rate limit exceeded for installation', 'rate limit'],
    ['a GitHub that is down', 503, 'Unavailable', 'status 503'],
  ])('%s: the summary has the receipt and one sentence why', async (_, status, message, why) => {
    const step = await jobOf(1)
    github.answer = (what) => (what.includes('/issues/') ? { status, body: { message } } : undefined)
    const { exitCode, log, annotations } = await step.post()
    expect([exitCode, annotations]).toEqual([0, []])
    const sentence = log.split('\n').filter((line) => line.includes('No comment on the pull request'))
    expect(sentence).toHaveLength(1)
    expect(sentence[0]).toContain(why)
    expect(step.summary).toContain('5 of 25 activations used')
    expect(step.summary).toContain(sentence[0])
  })

  test('with summary: false, why it could not be written stands in the log alone', async () => {
    const step = await jobOf(1, {}, { summary: 'false', 'github-token': '' })
    const { log } = await step.post()
    expect(log).toContain('No comment on the pull request: it could not be written')
    expect(step.summary).toBe('')
  })

  test('a GitHub that says nothing ends post in time', async () => {
    const step = await jobOf(1)
    Object.assign(step.env, { GITHUB_API_URL: 'http://127.0.0.1:9' })
    const { exitCode, milliseconds, log } = await step.post()
    expect(exitCode).toBe(0)
    expect(milliseconds).toBeLessThan(30_000)
    expect(log).toContain('GitHub did not answer')
  })

  test('is made once where GitHub does not list it', async () => {
    const number = await github.pullRequest()
    github.answer = (what) =>
      /^GET .*\/issues\/\d+\/comments$/.test(what) ? { status: 200, body: [] as object } : undefined
    const { log } = await (await jobOf(number)).post()
    expect(log).not.toContain('No comment')
    expect(await github.comments(number)).toHaveLength(1)
  })

  test.each([
    ['502 twice', [502, 502], 0, 'GitHub answered with status 502'],
    ['502 once', [502], 1, null],
    ['404, as a server without GraphQL does', [404], 1, null],
  ])(
    'whose comments these are is not guessed where GitHub answers the question with %s',
    async (_, statuses, comments, why) => {
      const number = await github.pullRequest()
      const left = [...statuses]
      github.answer = (what) => {
        if (what === 'GET /user') return { status: 403, body: { message: 'Resource not accessible by integration' } }
        if (what !== 'POST /graphql') return undefined
        const status = left.shift()
        return status ? { status, body: {} } : { status: 200, body: { data: { viewer: { login: github.user.login } } } }
      }
      const { exitCode, log } = await (await jobOf(number)).post()
      expect(exitCode).toBe(0)
      expect(await github.comments(number)).toHaveLength(comments)
      expect(github.asked.filter((what) => /^POST \/repos/.test(what))).toHaveLength(comments)
      if (why === null) expect(log).not.toContain('No comment')
      else expect(log).toContain(why)
    },
  )

  test('a GitHub that shows another text every time ends post in time', { timeout: 60_000 }, async () => {
    const number = await github.pullRequest()
    const step = await jobOf(number)
    // Makes each pause 21.8 s long, so that the second would end after 43 s.
    Object.assign(step.env, { NODE_OPTIONS: '--import=data:text/javascript,Math.random=()=>15' })
    const body = '<!-- till:audit -->\nanother text'
    github.answer = (what) =>
      /^GET .*\/issues\/\d+\/comments$/.test(what)
        ? { status: 200, body: [{ id: 1, body, user: { id: 1, login: github.user.login, type: 'User' } }] as object }
        : what.startsWith('PATCH ')
          ? { status: 200, body: {} }
          : undefined
    const { exitCode, milliseconds, log } = await step.post()
    expect(exitCode).toBe(0)
    // 30 s, and some for a machine that does other things too.
    expect(milliseconds).toBeLessThan(33_000)
    expect(log).toContain('No comment on the pull request')
  })

  test('a run that belongs to no pull request writes none', async () => {
    const { step } = await job({ inputs: { 'github-token': github.user.token } })
    Object.assign(step.env, { GITHUB_API_URL: github.url })
    await step.main()
    await step.post()
    expect(github.asked).toEqual([])
  })
})

test('twenty jobs of a matrix end with one comment that shows all of them', { timeout: 120_000 }, async () => {
  const number = await github.pullRequest()
  const steps = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      jobOf(number, {
        key_id: `k_${String(n).padStart(22, '0')}`,
        job: { ...RECEIPT.job, check_run_id: String(90_100 + n) },
      }),
    ),
  )
  const posts = await Promise.all(steps.map((step) => step.post()))
  expect(posts.filter(({ log }) => log.includes('No comment'))).toEqual([])
  const comments = await github.comments(number)
  expect(comments).toHaveLength(1)
  const { body } = comments[0]!
  expect(body).toContain('### Till: 100 of 500 activations used by 20 jobs · 0 refused · all keys ended')
  for (let n = 0; n < 20; n++) expect(body).toContain(`[job ${90_100 + n}](`)
})
