import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type GitHub, startGitHub } from '#test/support/github.ts'
import type { FakeJob } from '#test/support/issuer.ts'
import { type SpawnedTill, spawnTill, startTill, type Till } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'
import { delivery, SECRET, workflowJob } from './deliver.ts'

/*
 * The runner is killed in the middle of its job, so that post never runs. Everything that follows is the broker's: the
 * key dies, and the pull request says so. GitHub's side is `emulate`, with an App, its key and its installation tokens.
 */

let github: GitHub

beforeAll(async () => {
  github = await startGitHub()
})
afterAll(() => github.close())
beforeEach(() => {
  github.answer = () => undefined
  github.asked.length = 0
})

const withApp = () => ({
  settings: {
    github: { webhook_secret: 'env:SECRET', app_id: github.app.id, private_key: 'env:APP_KEY', api_url: github.url },
  },
  env: { SECRET, APP_KEY: github.app.privateKey },
  policies: [{ name: 'review', repository_id: github.repositoryId, providers: ['openai'], activations: 5 }],
})
const onPullRequest = (till: Till, number: number, claims: object = {}): FakeJob =>
  till.issuer.job({
    repository_id: github.repositoryId,
    event_name: 'pull_request',
    ref: `refs/pull/${number}/merge`,
    head_ref: 'topic',
    ...claims,
  })

/** A runner whose step calls the provider again and again, until it is killed with `kill -9`. */
async function killedRunner(till: Till, { key }: MintAnswer): Promise<void> {
  const agent = `for (let n = 0; n < 2; n++) await fetch(process.argv[1] + '/proxy/openai/v1/responses', {
      method: 'POST', headers: { authorization: 'Bearer ' + process.argv[2], 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-5-mini', input: 'hi' }) }).then((answer) => answer.text())
    console.log('used'); setInterval(() => {}, 1000)`
  const runner = spawn(process.execPath, ['--input-type=module', '-e', agent, till.url, key], { stdio: 'pipe' })
  await once(runner.stdout, 'data')
  runner.kill('SIGKILL')
  await once(runner, 'exit')
}

const deliver = (till: Till, job: FakeJob) =>
  till.fetch('/v1/webhooks/github', delivery({ payload: workflowJob(job.claims) }))
const use = async (till: Till, { key }: MintAnswer) => {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ model: 'gpt-5-mini', input: 'hi' })
  return (await till.fetch('/proxy/openai/v1/responses', { method: 'POST', headers, body })).status
}
const oneComment = (number: number) =>
  expect.poll(async () => (await github.comments(number)).map(({ body }) => body).join('\n---\n'), { timeout: 15_000 })

describe('a runner that is killed', () => {
  let till: Till
  beforeEach(async () => {
    till = await startTill(withApp())
  })
  afterEach(() => till.close())

  test('by webhook its key dies, and the App tells it on the pull request', async () => {
    const number = await github.pullRequest()
    const job = onPullRequest(till, number)
    const minted = await till.mint({ job })
    expect(minted.comment_by).toBe('broker')
    await killedRunner(till, minted)
    expect((await deliver(till, job)).status).toBe(202)
    expect(await use(till, minted)).toBe(410)
    await oneComment(number).toContain('### Till: 2 of 5 activations used')
    const [comment, ...more] = await github.comments(number)
    expect(more).toEqual([])
    expect(comment!.body).toContain('⚠️ ended with the job')
    expect(comment!.body).toContain('1 key was not closed by the post step')
  })

  test('a later job of the pull request adds its row to the same comment', async () => {
    const number = await github.pullRequest()
    const jobs = [onPullRequest(till, number), onPullRequest(till, number)]
    for (const job of jobs) {
      const minted = await till.mint({ job })
      await use(till, minted)
      await deliver(till, job)
      await oneComment(number).toContain(`[job ${job.claims['check_run_id']}](`)
    }
    expect(await github.comments(number)).toHaveLength(1)
    expect((await github.comments(number))[0]!.body).toContain('2 of 10 activations used by 2 jobs')
  })

  test('twenty jobs of a matrix end in one comment with twenty rows', async () => {
    const number = await github.pullRequest()
    const jobs = Array.from({ length: 20 }, () => onPullRequest(till, number))
    const keys = await Promise.all(jobs.map((job) => till.mint({ job })))
    await Promise.all(keys.map((minted) => use(till, minted)))
    await Promise.all(jobs.map((job) => deliver(till, job)))
    await oneComment(number).toContain('20 of 100 activations used by 20 jobs · 0 refused · all keys ended')
    expect(await github.comments(number)).toHaveLength(1)
  })

  test('a comment with the marker that somebody else wrote stays as it is', async () => {
    const number = await github.pullRequest()
    const forged = '<!-- till:audit -->\n### Till: all is well'
    await github.api('POST', `/repos/acme/web/issues/${number}/comments`, { body: forged })
    const job = onPullRequest(till, number)
    await use(till, await till.mint({ job }))
    await deliver(till, job)
    await oneComment(number).toContain('1 of 5 activations used')
    expect((await github.comments(number)).map(({ body }) => body)).toContain(forged)
    expect(await github.comments(number)).toHaveLength(2)
  })

  test('a push to the branch of an open pull request is told there', async () => {
    const number = await github.pullRequest()
    const sha = 'ab'.repeat(20)
    const head = { ref: 'topic', repo: { id: Number(github.repositoryId) } }
    github.pulls.set(sha, [
      { number: number + 1, state: 'closed', head },
      { number, state: 'open', head },
    ])
    const job = till.issuer.job({ repository_id: github.repositoryId, ref: 'refs/heads/topic', sha })
    await use(till, await till.mint({ job }))
    await deliver(till, job)
    await oneComment(number).toContain('1 of 5 activations used')
  })

  test('a run without a pull request gets a check run with the receipt, one for all its jobs', async () => {
    const { commit } = (await github.api('GET', '/repos/acme/web/branches/main')) as { commit: { sha: string } }
    const claims = { repository_id: github.repositoryId, sha: commit.sha, run_id: '7777' }
    const jobs = [till.issuer.job(claims), till.issuer.job(claims)]
    const runs = async () =>
      (
        (await github.api('GET', `/repos/acme/web/commits/${commit.sha}/check-runs`)) as {
          check_runs: { name: string; conclusion: string; output: { title: string; summary: string } }[]
        }
      ).check_runs
    for (const [n, job] of jobs.entries()) {
      await use(till, await till.mint({ job }))
      await deliver(till, job)
      const title = n === 0 ? '1 of 5 activations used' : '2 of 10 activations used by 2 jobs'
      await expect.poll(async () => (await runs())[0]?.output.title, { timeout: 15_000 }).toContain(title)
    }
    const [run, ...more] = await runs()
    expect(more).toEqual([])
    expect(run).toMatchObject({ name: 'Till', conclusion: 'neutral' })
    expect(run!.output.summary).toContain('2 keys were not closed by the post step')
  })

  test.each([
    ['of a fork', (id: number) => id + 1, false],
    ['of this repository', (id: number) => id, true],
  ])('what ran on a branch is told where a branch %s of that name asks to be merged: %s', async (_, headOf, isTold) => {
    const number = await github.pullRequest()
    const head = { ref: 'main', repo: { id: headOf(Number(github.repositoryId)) } }
    github.answer = (what) =>
      what === `GET /repos/acme/web/pulls/${number}`
        ? { status: 200, body: { number, state: 'open', head } }
        : undefined
    const run = { repository_id: github.repositoryId, run_id: String(880_000 + number) }
    const pushed = till.issuer.job({ ...run, ref: 'refs/heads/main', sha: '' })
    const job = onPullRequest(till, number, { head_ref: 'main' })
    for (const one of [pushed, job]) {
      await use(till, await till.mint({ job: one }))
      await deliver(till, one)
    }
    await oneComment(number).toContain(`[job ${job.claims['check_run_id']}](`)
    const [comment] = await github.comments(number)
    expect(comment!.body.includes(`job ${pushed.claims['check_run_id']}`)).toBe(isTold)
  })

  test('a check run that another App gave our name and id is left alone, and ours are updated, one a run', async () => {
    const { commit } = (await github.api('GET', '/repos/acme/web/branches/main')) as { commit: { sha: string } }
    const path = `/repos/acme/web/commits/${commit.sha}/check-runs`
    type Run = { id: number; external_id: string; output: { title: string } }
    const stored = async () => ((await github.api('GET', `${path}?filter=all`)) as { check_runs: Run[] }).check_runs
    const forged = (await github.api('POST', '/repos/acme/web/check-runs', {
      name: 'Till',
      head_sha: commit.sha,
      external_id: 'till-8881',
      status: 'completed',
      conclusion: 'success',
      output: { title: 'All is well', summary: 'All is well' },
    })) as Run
    let lists: { all: Run[]; query: URLSearchParams } = { all: [], query: new URLSearchParams() }
    const owned = (run: Run) => ({ ...run, app: { id: run.id === forged.id ? 1 : Number(github.app.id) } })
    github.answer = (what, { url }) => {
      if (what !== `GET ${path}`) return undefined
      const query = new URL(url!, github.url).searchParams
      lists = { ...lists, query }
      return { status: 200, body: { check_runs: lists.all.map(owned) } }
    }
    const tell = async (runId: string, used: string) => {
      lists = { ...lists, all: await stored() }
      const job = till.issuer.job({ repository_id: github.repositoryId, sha: commit.sha, run_id: runId })
      await use(till, await till.mint({ job }))
      await deliver(till, job)
      const titles = async () =>
        (await stored()).filter(({ id, external_id }) => id !== forged.id && external_id === `till-${runId}`)
      await expect.poll(async () => (await titles())[0]?.output.title, { timeout: 15_000 }).toContain(used)
      expect(await titles()).toHaveLength(1)
    }
    await tell('8881', '1 of 5')
    await tell('8882', '1 of 5')
    await tell('8881', '2 of 10')
    expect((await stored()).find(({ id }) => id === forged.id)!.output.title).toBe('All is well')
    expect(Object.fromEntries(lists.query)).toMatchObject({ filter: 'all', app_id: github.app.id })
  })

  test('a key that was not used and was closed says nothing', async () => {
    const number = await github.pullRequest()
    const quiet = onPullRequest(till, number)
    await till.revoke(await till.mint({ job: quiet }))
    await expect
      .poll(() => till.log.filter(({ event }) => event === 'report.written').length, { timeout: 15_000 })
      .toBe(1)
    expect(await github.comments(number)).toEqual([])
  })

  test('where the App is not installed the post step writes', async () => {
    github.answer = (what) =>
      what.endsWith('/installation') ? { status: 404, body: { message: 'Not Found' } } : undefined
    const minted = await till.mint({ job: onPullRequest(till, await github.pullRequest()) })
    await expect.poll(() => github.asked.filter((what) => what.endsWith('/installation')).length).toBe(1)
    await expect.poll(async () => (await till.receipt(minted)).comment_by).toBe('action')
  })

  test('where the App may not comment the log says so, and the post step writes from then on', async () => {
    github.answer = (what) =>
      /^POST .*\/comments$/.test(what)
        ? { status: 403, body: { message: 'Resource not accessible by integration' } }
        : undefined
    const job = onPullRequest(till, await github.pullRequest())
    const minted = await till.mint({ job })
    await use(till, minted)
    await deliver(till, job)
    await expect
      .poll(() => till.log.find(({ event }) => event === 'report.failed')?.fields, { timeout: 15_000 })
      .toMatchObject({ status: 403 })
    expect((await till.receipt(minted)).comment_by).toBe('action')
  })
})

test('a pull request whose conversation a job locked is left to the post step, the others are not', async () => {
  const till = await startTill(withApp())
  try {
    const [locked, other] = [await github.pullRequest(), await github.pullRequest()]
    github.answer = (what) =>
      what === `POST /repos/acme/web/issues/${locked}/comments`
        ? { status: 403, body: { message: 'Unable to create comment because issue is locked.' } }
        : undefined
    const job = onPullRequest(till, locked)
    const minted = await till.mint({ job })
    await use(till, minted)
    await deliver(till, job)
    await expect.poll(() => till.log.some(({ event }) => event === 'report.failed'), { timeout: 15_000 }).toBe(true)
    expect((await till.receipt(minted)).comment_by).toBe('action')
    expect((await till.mint({ job: onPullRequest(till, other) })).comment_by).toBe('broker')
  } finally {
    await till.close()
  }
})

describe('a webhook that was lost', () => {
  let till: SpawnedTill
  beforeEach(async () => {
    till = await spawnTill(withApp())
  })
  afterEach(() => till.close())

  test('while the broker was down: it asks GitHub as soon as it is back, and tells it', async () => {
    const number = await github.pullRequest()
    const job = onPullRequest(till, number)
    const minted = await till.mint({ job })
    await killedRunner(till, minted)
    await till.kill()
    github.jobs.set(String(job.claims['run_id']), [{ id: Number(job.claims['check_run_id']), status: 'completed' }])
    await till.start()
    await expect.poll(() => use(till, minted), { timeout: 15_000 }).toBe(410)
    expect((await till.receipt(minted)).receipt.end_reason).toBe('job_completed')
    await oneComment(number).toContain('⚠️ ended with the job')
  })

  test('a report that was not written before the broker died is written after', async () => {
    const number = await github.pullRequest()
    const job = onPullRequest(till, number)
    await use(till, await till.mint({ job }))
    await deliver(till, job)
    await till.kill()
    expect(await github.comments(number)).toEqual([])
    await till.start()
    await oneComment(number).toContain('1 of 5 activations used')
  })
})
