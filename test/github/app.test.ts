import { generateKeyPairSync } from 'node:crypto'
import nock from 'nock'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type App, githubApp } from '#github/app.ts'

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})
const WEB = { repositoryId: '101', repository: 'acme/web' }
const RUN = '/repos/acme/web/actions/runs/7001'
const LIST = 'GET /repos/acme/web/actions/runs/7001'

let now: number
let app: App

beforeAll(() => nock.disableNetConnect())
afterAll(() => {
  nock.enableNetConnect()
  nock.restore()
})
beforeEach(() => {
  now = 1_795_186_800
  app = at('https://api.github.com')
})
afterEach(() => {
  const left = nock.pendingMocks()
  nock.cleanAll()
  expect(left).toEqual([])
})

const at = (apiUrl: string) => githubApp({ appId: '123', privateKey, apiUrl, clock: () => now })

/** An installation, and a token for the repository with the id 101 alone. */
function installed(origin = 'https://api.github.com', path = '') {
  const api = nock(origin)
  api
    .get(`${path}/repos/acme/web/installation`)
    .matchHeader('authorization', /^bearer eyJ/i)
    .reply(200, { id: 9 })
  api
    .post(`${path}/app/installations/9/access_tokens`, ({ repository_ids: ids }) => String(ids) === '101')
    .reply(201, {
      token: 'ghs_of_the_installation',
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
      permissions: {},
      repository_selection: 'selected',
    })
  return nock(origin, { reqheaders: { authorization: 'bearer ghs_of_the_installation' } })
}

describe('the installation of a repository', () => {
  test('is looked up once, however many ask at once', async () => {
    installed().get(RUN).times(3).reply(200, { status: 'completed' })
    const requests = await Promise.all([1, 2, 3].map(() => app.requestsTo(WEB)))
    expect(app.isInstalled(WEB)).toBe(true)
    for (const request of requests) expect((await request!(LIST)).data.status).toBe('completed')
  })

  test('that is not there is null, and not asked for again', async () => {
    nock('https://api.github.com').get('/repos/acme/web/installation').reply(404, { message: 'Not Found' })
    expect(app.isInstalled(WEB)).toBeNull()
    expect(await app.requestsTo(WEB)).toBeNull()
    expect(await app.requestsTo(WEB)).toBeNull()
    expect(app.isInstalled(WEB)).toBe(false)
  })

  test('that cannot be looked up is not taken for missing', async () => {
    nock('https://api.github.com').get('/repos/acme/web/installation').reply(502)
    await expect(app.requestsTo(WEB)).rejects.toMatchObject({ status: 502 })
    expect(app.isInstalled(WEB)).toBeNull()
  })

  test('is looked up again when it was removed', async () => {
    installed().get(RUN).reply(404, { message: 'Not Found' })
    await expect((await app.requestsTo(WEB))!(LIST)).rejects.toMatchObject({ status: 404 })
    nock('https://api.github.com').get('/repos/acme/web/installation').reply(404, { message: 'Not Found' })
    expect(await app.requestsTo(WEB)).toBeNull()
  })

  test('of a name that another repository has taken over gives no token for it', async () => {
    const api = nock('https://api.github.com')
    api.get('/repos/acme/web/installation').reply(200, { id: 9 })
    api
      .post('/app/installations/9/access_tokens')
      .reply(422, { message: 'The repositories requested are not accessible' })
    await expect((await app.requestsTo(WEB))!(LIST)).rejects.toMatchObject({ status: 422 })
  })

  test('is found on a GitHub Enterprise Server', async () => {
    installed('https://ghes.example.com', '/api/v3').get(`/api/v3${RUN}`).reply(200, { status: 'queued' })
    const request = await at('https://ghes.example.com/api/v3').requestsTo(WEB)
    expect((await request!(LIST)).data.status).toBe('queued')
  })
})

test('what is known is asked for by its tag, and 304 means that it holds', async () => {
  installed().get(RUN).reply(200, { status: 'queued' }, { etag: '"a"' })
  const request = (await app.requestsTo(WEB))!
  expect((await request(LIST)).data.status).toBe('queued')
  nock('https://api.github.com').get(RUN).matchHeader('if-none-match', '"a"').reply(304)
  expect((await request(LIST)).data.status).toBe('queued')
  nock('https://api.github.com').get(RUN).matchHeader('if-none-match', '"a"').reply(200, { status: 'completed' })
  expect((await request(LIST)).data.status).toBe('completed')
})

describe('the rate limit', () => {
  test.each<[string, number, Record<string, string>, number]>([
    ['spent by this answer', 200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1795187400' }, 600],
    ['refused', 403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1795187400' }, 600],
    ['secondary', 403, { 'retry-after': '120' }, 120],
    ['429 without a time', 429, {}, 60],
    ['with a reset that is a mistake', 403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '9999999999' }, 3700],
  ])('%s: nothing is sent before its time', async (_, status, headers, seconds) => {
    installed().get(RUN).reply(status, {}, headers)
    const request = (await app.requestsTo(WEB))!
    await request(LIST).catch(() => {})
    now += seconds - 1
    await expect(request(LIST)).rejects.toMatchObject({ name: 'HeldOff', status: 429 })
    now += 1
    nock('https://api.github.com').get(RUN).reply(200, { status: 'completed' })
    expect((await request(LIST)).data.status).toBe('completed')
  })

  test('that is far away holds nothing up; nor does a refusal for another reason', async () => {
    const api = installed()
    api
      .get(RUN)
      .reply(200, { status: 'queued' }, { 'x-ratelimit-remaining': '4999', 'x-ratelimit-reset': '1795187400' })
    api.get(RUN).reply(403, { message: 'Resource not accessible by integration' })
    api.get(RUN).reply(200, { status: 'completed' })
    const request = (await app.requestsTo(WEB))!
    await request(LIST)
    await expect(request(LIST)).rejects.toMatchObject({ status: 403 })
    expect((await request(LIST)).data.status).toBe('completed')
  })
})

describe('a redirect', () => {
  test('of a repository that was renamed is followed, for what is read and for what is written', async () => {
    const api = installed()
    api.get(RUN).reply(301, {}, { location: '/repositories/101/actions/runs/7001' })
    api.get('/repositories/101/actions/runs/7001').reply(200, { status: 'completed' })
    api.post('/repos/acme/web/issues/5/comments').reply(307, {}, { location: '/repositories/101/issues/5/comments' })
    api.post('/repositories/101/issues/5/comments', { body: 'hello' }).reply(201, {})
    const request = (await app.requestsTo(WEB))!
    expect((await request(LIST)).data.status).toBe('completed')
    expect((await request('POST /repos/acme/web/issues/5/comments', { body: 'hello' })).status).toBe(201)
  })

  test.each([
    ['to another origin', 'https://evil.example/'],
    ['from https to http', 'http://api.github.com/'],
    ['to another host in a relative way', '//evil.example/'],
  ])('%s is not followed', async (_, location) => {
    installed().get(RUN).reply(302, {}, { location })
    const elsewhere = nock(new URL(location, 'https://api.github.com').origin)
      .get('/')
      .reply(200, { status: 'completed' })
    const request = (await app.requestsTo(WEB))!
    await expect(request(LIST)).rejects.toMatchObject({ status: 500 })
    expect(elsewhere.isDone()).toBe(false)
    nock.cleanAll()
  })
})
