import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { POLICY, startTill, type Till } from '#test/support/start-till.ts'
import { type Delivery, delivery, SECRET, workflowJob } from './deliver.ts'

const settings = { github: { webhook_secret: 'env:SECRET' } }
let till: Till

beforeEach(async () => {
  till = await startTill({ settings, env: { SECRET } })
})
afterEach(() => till.close())

const deliver = (what: Delivery) => till.fetch('/v1/webhooks/github', delivery(what))
const use = (key: string) =>
  till.fetch('/proxy/openai/v1/responses', {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-5-mini', input: 'hi' }),
  })
const code = async (answer: Response) => ((await answer.json()) as { code: string }).code

describe('a job that GitHub says is over', () => {
  test('has a dead key the moment the delivery is answered', async () => {
    const job = till.issuer.job()
    const minted = await till.mint({ job })
    expect((await use(minted.key)).status).toBe(200)
    expect((await deliver({ payload: workflowJob(job.claims) })).status).toBe(202)
    const refused = await use(minted.key)
    expect([refused.status, refused.headers.get('till-error')]).toEqual([410, 'key_revoked'])
    expect((await till.receipt(minted)).receipt.end_reason).toBe('job_completed')
  })

  test('mints nothing with a token that is still fresh', async () => {
    const job = till.issuer.job()
    await deliver({ payload: workflowJob(job.claims) })
    await expect(till.mint({ job })).rejects.toMatchObject({ status: 409, problem: { code: 'job_ended' } })
  })

  test('leaves the other jobs of its run alone', async () => {
    const [over, runs] = [till.issuer.job(), till.issuer.job()]
    const minted = await till.mint({ job: runs })
    await deliver({ payload: workflowJob(over.claims) })
    expect((await use(minted.key)).status).toBe(200)
  })

  test('has its open streams cut within a second', async () => {
    const job = till.issuer.job()
    const minted = await till.mint({ job })
    till.provider.next({ gap: (event) => (event < 2 ? Promise.resolve() : new Promise(() => {})) })
    const answer = await till.fetch('/proxy/openai/v1/responses', {
      method: 'POST',
      headers: { authorization: `Bearer ${minted.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-5-mini', input: 'hi', stream: true }),
    })
    const reading = answer.text().then(
      () => 'finished',
      () => 'cut',
    )
    await sleep(50)
    await deliver({ payload: workflowJob(job.claims) })
    expect(await Promise.race([reading, sleep(1000, 'open')])).toBe('cut')
  })

  test.each([undefined, 'x'.repeat(101)])('may be told of under the delivery id %s, however often', async (id) => {
    const job = till.issuer.job()
    const minted = await till.mint({ job })
    const { headers, ...rest } = delivery({ payload: workflowJob(job.claims) })
    const { 'x-github-delivery': _, ...others } = headers
    const told = { ...rest, headers: { ...others, ...(id !== undefined && { 'x-github-delivery': id }) } }
    for (const _ of [1, 2]) expect((await till.fetch('/v1/webhooks/github', told)).status).toBe(202)
    expect((await use(minted.key)).status).toBe(410)
  })

  test('may be told of in a form', async () => {
    const job = till.issuer.job()
    const minted = await till.mint({ job })
    const answer = await deliver({
      payload: workflowJob(job.claims),
      contentType: 'application/x-www-form-urlencoded',
    })
    expect([answer.status, (await use(minted.key)).status]).toEqual([202, 410])
  })
})

describe('what changes nothing', () => {
  test.each(['queued', 'in_progress', 'waiting', 'requested'])('a job that is %s', async (action) => {
    const job = till.issuer.job()
    const minted = await till.mint({ job })
    expect((await deliver({ payload: workflowJob(job.claims, action) })).status).toBe(202)
    expect((await use(minted.key)).status).toBe(200)
  })

  test.each(['ping', 'workflow_run', 'push', 'check_run'])('the event %s', async (event) => {
    const job = till.issuer.job()
    const minted = await till.mint({ job })
    expect((await deliver({ event, payload: workflowJob(job.claims) })).status).toBe(202)
    expect((await use(minted.key)).status).toBe(200)
  })

  test.each([
    ['the same check run in another repository', { repository_id: '102' }],
    ['another check run', { check_run_id: '1' }],
  ])('%s', async (_, claims) => {
    const job = till.issuer.job()
    const minted = await till.mint({ job })
    expect((await deliver({ payload: workflowJob({ ...job.claims, ...claims }) })).status).toBe(202)
    expect((await use(minted.key)).status).toBe(200)
  })

  test('a delivery that was taken before', async () => {
    const [job, other] = [till.issuer.job(), till.issuer.job()]
    const minted = await till.mint({ job: other })
    await deliver({ id: 'once', payload: workflowJob(job.claims) })
    expect((await deliver({ id: 'once', payload: workflowJob(other.claims) })).status).toBe(202)
    expect((await use(minted.key)).status).toBe(200)
  })
})

describe('a forged delivery does nothing', () => {
  const forgeries: [string, (good: ReturnType<typeof delivery>) => Partial<ReturnType<typeof delivery>>][] = [
    ['with another secret', ({ body }) => delivery({ payload: body, secret: 'guessed' })],
    ['with no signature', ({ headers: { 'x-hub-signature-256': _, ...headers } }) => ({ headers }) as never],
    ['with an empty signature', ({ headers }) => ({ headers: { ...headers, 'x-hub-signature-256': 'sha256=' } })],
    ['with a short one', ({ headers }) => ({ headers: { ...headers, 'x-hub-signature-256': 'sha256=00' } })],
    [
      'with one of SHA-1',
      ({ headers }) => ({ headers: { ...headers, 'x-hub-signature-256': `sha1=${'0'.repeat(40)}` } }),
    ],
    ['whose body was changed by one byte', ({ body }) => ({ body: `${body} ` })],
  ]
  test.each(forgeries)('%s', async (_, forge) => {
    const job = till.issuer.job()
    const minted = await till.mint({ job })
    const good = delivery({ payload: workflowJob(job.claims) })
    const answer = await till.fetch('/v1/webhooks/github', { ...good, ...forge(good) })
    expect([answer.status, await code(answer)]).toEqual([401, 'signature_invalid'])
    expect((await use(minted.key)).status).toBe(200)
  })

  test('that is not JSON is not looked at', async () => {
    expect((await deliver({ payload: '{', secret: 'guessed' })).status).toBe(401)
  })
})

describe('a delivery that cannot be read', () => {
  test.each([
    ['is not JSON', '{'],
    ['names no job', { action: 'completed', repository: { id: 101 } }],
    ['names no repository', { ...workflowJob({ check_run_id: 1, run_id: 1, run_attempt: 1 }), repository: {} }],
    ['has ids that are no numbers', workflowJob({ check_run_id: 1, run_id: 'x', run_attempt: 1, repository_id: 1 })],
  ])('%s: it is taken, and the log says that it led to nothing', async (_, payload) => {
    expect((await deliver({ payload })).status).toBe(202)
    expect(till.log.at(-1)).toMatchObject({ event: 'webhook.unreadable' })
  })

  test('of more than a mebibyte is refused', async () => {
    const answer = await deliver({ payload: { filler: 'x'.repeat(1_048_576) } })
    expect([answer.status, await code(answer)]).toEqual([413, 'body_too_large'])
  })

  test('of 300 KB is not', async () => {
    expect((await deliver({ payload: { filler: 'x'.repeat(300_000) } })).status).toBe(202)
  })
})

test('a broker without a secret has no webhook', async () => {
  const bare = await startTill()
  try {
    const answer = await bare.fetch('/v1/webhooks/github', delivery({ payload: {} }))
    expect([answer.status, await code(answer)]).toEqual([404, 'not_found'])
  } finally {
    await bare.close()
  }
})

describe('where tokens name no check run', () => {
  let server: Till
  const attempt = { check_run_id: undefined }

  beforeEach(async () => {
    server = await startTill({
      issuer: till.issuer,
      settings: { ...settings, issuers: [{ url: till.issuer.url, check_run_id: 'optional' }] },
      env: { SECRET },
      policies: [POLICY, { ...POLICY, name: 'other' }],
    })
  })
  afterEach(() => server.close())

  const tell = (action: string, id: number, job: { claims: Readonly<Record<string, unknown>> }) =>
    server.fetch('/v1/webhooks/github', delivery({ payload: workflowJob({ ...job.claims, check_run_id: id }, action) }))
  const endOf = async (minted: { id: string; key: string }) => (await server.receipt(minted)).receipt.end_reason

  test('the key of the run attempt ends with its only job', async () => {
    const job = till.issuer.job(attempt)
    const minted = await server.mint({ job })
    await tell('completed', 1, job)
    expect(await endOf(minted)).toBe('job_completed')
  })

  test('it lives while another job is known to run', async () => {
    const job = till.issuer.job(attempt)
    const minted = await server.mint({ job })
    await tell('in_progress', 2, job)
    await tell('completed', 1, job)
    expect(await endOf(minted)).toBeNull()
    await tell('completed', 2, job)
    expect(await endOf(minted)).toBe('job_completed')
  })

  test('deliveries that overtake each other change nothing', async () => {
    const job = till.issuer.job(attempt)
    const minted = await server.mint({ job })
    await tell('in_progress', 1, job)
    await tell('completed', 2, job)
    await tell('in_progress', 2, job)
    expect(await endOf(minted)).toBeNull()
    await tell('completed', 1, job)
    expect(await endOf(minted)).toBe('job_completed')
  })

  test('a job that waited for the one which is over still gets its key', async () => {
    const job = till.issuer.job(attempt)
    await tell('completed', 1, job)
    expect((await server.mint({ job })).policy).toBe('review')
  })

  test('another attempt is another budget', async () => {
    const job = till.issuer.job({ ...attempt, run_attempt: '2' })
    const minted = await server.mint({ job })
    await tell('completed', 1, till.issuer.job(attempt))
    expect(await endOf(minted)).toBeNull()
  })
})
