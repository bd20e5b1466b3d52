import { compactVerify, createRemoteJWKSet } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatKey, formatKeyId } from '#domain/key.ts'
import { discovery } from '#wire/discovery.ts'
import { mintAnswer } from '#wire/mint.ts'
import { PROBLEM_TYPE, problem as problemShape } from '#wire/problem.ts'
import { type ReceiptAnswer, receiptAnswer } from '#wire/receipt.ts'
import { selfAnswer } from '#wire/self.ts'
import { AUDIENCE, type Plane, problem, startPlane } from './plane.ts'

let plane: Plane
beforeAll(async () => {
  plane = await startPlane()
})
afterAll(() => plane.close())

const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } })

test('POST /v1/keys: 201 and the minted key, as the contract writes it', async () => {
  const job = plane.issuer.job()
  const before = Math.floor(Date.now() / 1000)
  const response = await plane.mint(await plane.token(job), {
    providers: ['openai'],
    activations: 5,
    policy: 'review',
    expires_in: 1800,
    routes: ['POST /v1/responses'],
    models: ['gpt-5-mini'],
  })
  expect(response.status).toBe(201)
  const answer = mintAnswer(await response.json(), '')
  expect(answer).toEqual({
    id: answer.id,
    key: answer.key,
    policy: 'review',
    providers: { openai: { base_url: `${AUDIENCE}/proxy/openai/v1` } },
    activations: 5,
    expires_at: answer.expires_at,
    scope: { routes: ['POST /v1/responses'], models: ['gpt-5-mini'] },
    comment_by: 'action',
    job: {
      repository: 'acme/web',
      repository_id: '101',
      run_id: '7001',
      run_attempt: '1',
      check_run_id: job.claims['check_run_id'],
    },
  })
  expect(answer.expires_at - before - 1800).toBeOneOf([0, 1, 2])
})

test('a job whose issuer may name no check run gets the budget of its run attempt, and is told so', async () => {
  const { verifier } = plane.control
  plane.control.verifier = {
    async verify(token) {
      const verified = await verifier.verify(token)
      return verified.kind === 'verified' ? { ...verified, checkRunId: 'optional' } : verified
    },
  }
  const job = plane.issuer.job({ check_run_id: undefined, run_id: '7002' })
  const answer = await plane.minted(job)
  expect(answer).toMatchObject({ budget_unit: 'run_attempt', job: { run_id: '7002', check_run_id: null } })
  for (const check_run_id of [undefined, '90001', '90002'])
    expect((await plane.mint(await plane.token({ ...job, claims: { ...job.claims, check_run_id } }))).status).toBe(409)
  plane.control.verifier = verifier
})

test('GET /v1/keys/self: 200 and what the key may still do', async () => {
  const { id, key, expires_at, scope, providers } = await plane.minted()
  const response = await plane.fetch('/v1/keys/self', bearer(key))
  expect(response.status).toBe(200)
  expect(selfAnswer(await response.json(), '')).toEqual({
    id,
    policy: 'review',
    state: 'active',
    activations: { limit: 25, used: 0, remaining: 25 },
    expires_at,
    scope,
    providers,
  })
})

test('DELETE /v1/keys/{id}: 200 with the receipt, by the key and by the job, and again', async () => {
  const job = plane.issuer.job()
  const { id, key } = await plane.minted(job)
  for (const proof of [key, key, await plane.token(job)]) {
    const response = await plane.fetch(`/v1/keys/${id}`, { method: 'DELETE', ...bearer(proof) })
    expect(response.status).toBe(200)
    const { receipt, comment_by } = receiptAnswer(await response.json(), '')
    expect(receipt).toMatchObject({ key_id: id, end_reason: 'revoked_by_job' })
    expect(comment_by).toBe('action')
  }
  expect((await plane.fetch('/v1/keys/self', bearer(key))).status).toBe(401)
})

test('GET /v1/keys/{id}/receipt: 200 for the key, alive or ended, and for its job', async () => {
  const job = plane.issuer.job()
  const { id, key } = await plane.minted(job)
  const receiptWith = async (proof: string) => {
    const response = await plane.fetch(`/v1/keys/${id}/receipt`, bearer(proof))
    expect(response.status).toBe(200)
    return (await response.json()) as ReceiptAnswer
  }
  expect((await receiptWith(key)).receipt.end_reason).toBeNull()
  expect((await receiptWith(await plane.token(job))).receipt.end_reason).toBeNull()
  await plane.fetch(`/v1/keys/${id}`, { method: 'DELETE', ...bearer(key) })
  expect((await receiptWith(key)).receipt.end_reason).toBe('revoked_by_job')
})

test('a receipt verifies against GET /.well-known/jwks.json', async () => {
  const { id, key } = await plane.minted()
  const response = await plane.fetch(`/v1/keys/${id}/receipt`, bearer(key))
  const { receipt, jws } = (await response.json()) as ReceiptAnswer
  const keys = createRemoteJWKSet(new URL(`${plane.url}/.well-known/jwks.json`))
  const { payload } = await compactVerify(jws, keys, { algorithms: ['EdDSA'] })
  expect(JSON.parse(new TextDecoder().decode(payload))).toEqual(receipt)
})

test('GET /.well-known/till: audience, version, jwks_uri, mint_endpoint', async () => {
  expect(discovery(await (await plane.fetch('/.well-known/till')).json(), '')).toEqual({
    audience: AUDIENCE,
    version: '0.1.0',
    jwks_uri: `${AUDIENCE}/.well-known/jwks.json`,
    mint_endpoint: `${AUDIENCE}/v1/keys`,
  })
})

test.each([
  ['not JSON', '{"providers":["openai"]', 'one JSON object'],
  ['an array', '["openai"]', 'one JSON object'],
  ['null', 'null', 'one JSON object'],
  ['nothing', '', 'one JSON object'],
  ['providers missing', {}, 'providers'],
  ['providers empty', { providers: [] }, 'providers'],
  ['a provider that is no name', { providers: ['../openai'] }, 'providers[0]'],
  ['an unknown field', { providers: ['openai'], budget: 5 }, 'budget'],
  ['a field named like a prototype', '{"providers":["openai"],"__proto__":{}}', '__proto__'],
  ['a member twice', '{"providers":["openai"],"activations":1,"activations":25}', 'each member once'],
  ['a member twice, once escaped', '{"providers":["openai"],"policy":"a","polic\\u0079":"b"}', 'each member once'],
  ['activations of 0', { providers: ['openai'], activations: 0 }, 'activations'],
  ['activations as text', { providers: ['openai'], activations: '5' }, 'activations'],
  ['a part of an activation', { providers: ['openai'], activations: 1.5 }, 'activations'],
  ['more than 10^9 activations', { providers: ['openai'], activations: 1_000_000_001 }, 'activations'],
  ['expires_in of 0', { providers: ['openai'], expires_in: 0 }, 'expires_in'],
  ['more than 7 days', { providers: ['openai'], expires_in: 604_801 }, 'expires_in'],
  ['a route without method', { providers: ['openai'], routes: ['/v1/responses'] }, 'routes[0]'],
  ['a route with dots', { providers: ['openai'], routes: ['POST /v1/../admin'] }, 'routes[0]'],
  ['a route with ** inside', { providers: ['openai'], routes: ['POST /**/admin'] }, 'routes[0]'],
  ['a model with a blank', { providers: ['openai'], models: ['gpt 5'] }, 'models[0]'],
])('400 request_invalid for %s, and the place is named', async (_, body, place) => {
  const response = await plane.mint(await plane.token(), body)
  expect(response.status).toBe(400)
  const { code, detail } = await problem(response)
  expect(code).toBe('request_invalid')
  expect(detail).toContain(place)
})

test('400 request_invalid for a body that is not UTF-8', async () => {
  const body = Buffer.from('{"providers":["openai"],"policy":"\xff"}', 'latin1')
  const headers = { authorization: `Bearer ${await plane.token()}` }
  const response = await plane.fetch('/v1/keys', { method: 'POST', headers, body })
  expect((await problem(response)).code).toBe('request_invalid')
})

test.each(['fifteen-letters', 'x'.repeat(129), 'sixteen letters-'])(
  '400 request_invalid for the Idempotency-Key %j',
  async (key) => {
    const response = await plane.mint(await plane.token(), undefined, { 'idempotency-key': key })
    expect(response.status).toBe(400)
    expect(await problem(response)).toMatchObject({ code: 'request_invalid' })
  },
)

test('a request that is not of the shape leaves the ID token unused, and is on record', async () => {
  const token = await plane.token()
  expect((await plane.mint(token, {})).status).toBe(400)
  expect((await plane.mint(token)).status).toBe(201)
  const refusals = []
  for await (const { event } of plane.world.ledger.events('broker')) refusals.push(event)
  const considered = [{ policy: '*', check: 'request', passed: false, found: 'another' }]
  expect(refusals.at(-1)).toMatchObject({ type: 'mint.refused', code: 'request_invalid', considered })
})

test('of 60 mints a minute and repository those count that were not of the shape', async () => {
  const own = { repository_id: '102' }
  const token = await plane.token(plane.issuer.job(own))
  const statuses = []
  for (let i = 0; i < 62; i++) statuses.push((await plane.mint(token, {})).status)
  expect(statuses.slice(60)).toEqual([429, 429])
  expect((await plane.mint(await plane.token(plane.issuer.job(own)))).status).toBe(429)
})

test('a lost answer is repeated with a fresh ID token and the same Idempotency-Key', async () => {
  const job = plane.issuer.job()
  const again = async () => plane.mint(await plane.token(job), undefined, { 'idempotency-key': 'sixteen-letters!' })
  expect((await again()).status).toBe(201)
  expect((await again()).status).toBe(201)
})

test.each([
  ['none', {}],
  ['not a bearer', { authorization: 'Basic eDp5' }],
  ['a key', { authorization: `Bearer ${formatKey(new Uint8Array(32))}` }],
  ['not a token', { authorization: 'Bearer not.a.token' }],
])('401 token_invalid: %s where an ID token is expected', async (_, headers) => {
  const response = await plane.fetch('/v1/keys', { method: 'POST', headers, body: '{"providers":["openai"]}' })
  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toBe('Bearer')
  expect((await problem(response)).code).toBe('token_invalid')
})

test('401 token_invalid before the body is looked at', async () => {
  expect((await problem(await plane.mint('not.a.token', '{'))).code).toBe('token_invalid')
})

test('401 token_invalid has one text, whichever check failed', async () => {
  const tokens = [
    await plane.issuer.token({ aud: 'https://github.com/acme' }),
    await plane.issuer.token({ aud: AUDIENCE, exp: 1 }),
    await plane.issuer.token({ aud: AUDIENCE, check_run_id: undefined }),
    await plane.issuer.token({ aud: AUDIENCE, iss: 'https://elsewhere.test' }),
    'a.b.c',
  ]
  const texts = await Promise.all(tokens.map(async (token) => (await plane.mint(token)).text()))
  expect(new Set(texts).size).toBe(1)
})

test('401 token_replayed: an ID token is good for one mint', async () => {
  const token = await plane.token()
  expect((await plane.mint(token)).status).toBe(201)
  const response = await plane.mint(token)
  expect(response.status).toBe(401)
  expect((await problem(response)).code).toBe('token_replayed')
})

test("403 policy_denied names the claim and the token's own value to a repository that a policy names", async () => {
  const token = await plane.issuer.token({ aud: AUDIENCE, event_name: 'pull_request_target' })
  const response = await plane.mint(token)
  expect(response.status).toBe(403)
  const { code, detail } = await problem(response)
  expect(code).toBe('policy_denied')
  expect(detail).toMatch(/event_name "pull_request_target".*`till policy explain d_[0-9A-Za-z]+`/)
})

test('403 policy_denied for more than the policy gives names the field', async () => {
  const response = await plane.mint(await plane.token(), { providers: ['openai'], activations: 26 })
  expect(response.status).toBe(403)
  expect((await problem(response)).detail).toContain('activations')
})

test('409 already_minted: one job, one budget', async () => {
  const job = plane.issuer.job()
  await plane.minted(job)
  const response = await plane.mint(await plane.token(job))
  expect(response.status).toBe(409)
  expect((await problem(response)).code).toBe('already_minted')
})

test('401 key_invalid for a key that never was, and for one that has ended', async () => {
  const { id, key } = await plane.minted()
  await plane.fetch(`/v1/keys/${id}`, { method: 'DELETE', ...bearer(key) })
  const dead = await plane.fetch('/v1/keys/self', bearer(key))
  const unknown = await plane.fetch('/v1/keys/self', bearer(formatKey(new Uint8Array(32))))
  expect([dead.status, unknown.status]).toEqual([401, 401])
  expect(await dead.text()).toBe(await unknown.text())
})

test.each([
  ['x-api-key', (key: string) => ({ 'x-api-key': key })],
  ['Basic', (key: string) => ({ authorization: `Basic ${btoa(`x:${key}`)}` })],
  ['Authorization: token', (key: string) => ({ authorization: `token ${key}` })],
])('401 key_invalid for a key in %s: the control plane looks at Bearer only', async (_, headers) => {
  const { key } = await plane.minted()
  const response = await plane.fetch('/v1/keys/self', { headers: headers(key) })
  expect((await problem(response)).code).toBe('key_invalid')
})

test('401 key_invalid for an ID token where only the key will do', async () => {
  const response = await plane.fetch('/v1/keys/self', bearer(await plane.token()))
  expect((await problem(response)).code).toBe('key_invalid')
})

test("404 not_found is the same for an id that never was and for somebody else's", async () => {
  const mine = await plane.minted()
  const other = await plane.minted()
  const ask = async (id: string, proof: string) => {
    const response = await plane.fetch(`/v1/keys/${id}`, { method: 'DELETE', ...bearer(proof) })
    return `${response.status} ${await response.text()}`
  }
  const answers = [
    await ask(formatKeyId(new Uint8Array(16)), mine.key),
    await ask(other.id, mine.key),
    await ask(other.id, await plane.token()),
    await ask('self', mine.key),
    await ask('k_%2e%2e', mine.key),
  ]
  expect(answers[0]).toContain('404')
  expect(new Set(answers).size).toBe(1)
  expect((await plane.fetch('/v1/keys/self', bearer(other.key))).status).toBe(200)
})

test('every error is a problem of the contract, not to be stored', async () => {
  const responses = [
    await plane.fetch('/nowhere'),
    await plane.fetch('/v1/keys'),
    await plane.fetch('/v1/keys/self'),
    await plane.mint('not.a.token'),
    await plane.mint(await plane.token(), '{'),
  ]
  expect(responses.map(({ status }) => status)).toEqual([404, 405, 401, 401, 400])
  for (const response of responses) {
    expect(response.headers.get('content-type')).toBe(PROBLEM_TYPE)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const body = await problem(response)
    expect(problemShape(body, '')).toEqual(body)
    expect(body.status).toBe(response.status)
    expect(body.type).toMatch(new RegExp(`docs/errors\\.md#${body.code}$`))
  }
})
