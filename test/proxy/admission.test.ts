import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Ledger, StorageUnavailable } from '#broker/ports.ts'
import { formatKey } from '#domain/key.ts'
import { bytesOf, openRaw, raw } from '#test/support/raw-client.ts'
import { answerOf } from '#test/support/raw-upstream.ts'
import { CREDENTIAL, type PlaneUnderTest, startPlane } from './plane.ts'

let till: PlaneUnderTest
let before: number
beforeAll(async () => {
  till = await startPlane({ limits: { checkedBodyBytes: 2048, bodyBytes: 4096, freePerMinute: 3 } })
})
afterAll(() => till.close())
beforeEach(() => {
  before = till.upstream.requests.length
})
const sent = () => till.upstream.requests.length - before
const JSON_TYPE = 'content-type: application/json'
const post = (auth: string, body = '{"model":"m-1"}', path = '/proxy/api/v1/responses', headers: string[] = []) =>
  raw(till.port, bytesOf(`POST ${path}`, [auth, JSON_TYPE, ...headers], body))

test('an admitted request reaches the provider with the credential in place of the key, and its answer comes back', async () => {
  const { key, auth, grant } = await till.mint()
  const answer = await post(auth)
  const got = till.upstream.requests.at(-1)!
  expect(got.line).toBe('POST /v1/responses HTTP/1.1')
  expect(got.body).toBe('{"model":"m-1"}')
  expect(got.header('authorization')).toBe(`Bearer ${CREDENTIAL}`)
  expect(got.header('host')).toBe(`127.0.0.1:${till.upstream.port}`)
  expect(got.header('accept-encoding')).toBe('identity')
  expect(JSON.stringify(got.headers)).not.toContain(key)
  expect(answer.body).toBe('{"ok":true}')
  expect(answer.headers).toMatchObject({
    'till-request-id': expect.stringMatching(/^req_[0-9a-f]{32}$/),
    'till-key-id': grant.id,
    'till-activations-limit': '25',
    'till-activations-used': '1',
    'till-activations-remaining': '24',
  })
})

test.each([
  ['authorization: Bearer', (key: string) => `authorization: Bearer ${key}`],
  ['authorization: token', (key: string) => `Authorization: token ${key}`],
  ['the password of authorization: Basic', (key: string) => `authorization: Basic ${btoa(`x:${key}`)}`],
  ['x-api-key', (key: string) => `X-Api-Key: ${key}`],
  ['x-goog-api-key', (key: string) => `x-goog-api-key: ${key}`],
  ['api-key', (key: string) => `api-key: ${key}`],
  ['the same key in two headers', (key: string) => `x-api-key: ${key}\r\nauthorization: Bearer ${key}`],
  ['beside an empty header', (key: string) => `x-api-key: \r\nauthorization: Bearer ${key}`],
])('the key is taken from %s', async (_name, header) => {
  const { key } = await till.mint()
  expect((await post(header(key))).status).toBe(200)
})

test('T18: two different credentials in one request are refused, whatever the second one is', async () => {
  const { key, auth } = await till.mint()
  const other = (await till.mint()).key
  for (const second of [
    `x-api-key: ${other}`,
    'x-api-key: sk-own',
    `authorization: Bearer ${other}`,
    'api-key: a',
    `authorization: Digest ${key}`,
  ]) {
    const answer = await post(`${auth}\r\n${second}`)
    expect([second, answer.status, answer.headers['till-error']]).toEqual([second, 400, 'request_refused'])
  }
  expect(sent()).toBe(0)
})

test('a key that is missing, misspelt or unknown gets the same code, and nothing that depends on whether it existed', async () => {
  const unknown = formatKey(new Uint8Array(32).fill(7))
  const answers = await Promise.all([
    post('x-nothing: 1'),
    post(`authorization: Bearer ${unknown.slice(0, -1)}x`),
    post(`authorization: Bearer ${unknown}`),
    post('authorization: Bearer sk-something'),
  ])
  for (const { status, headers, json } of answers) {
    expect(status).toBe(403)
    expect(json().error.code).toBe('key_invalid')
    expect(headers).not.toHaveProperty('till-key-id')
    expect(headers['till-request-id']).toBeDefined()
  }
  const [, misspelt, never] = answers
  expect(misspelt!.json()['message']).toBe(never!.json()['message'])
})

test('a connection that shows its key again needs no second lookup, and each key that it shows is charged on its own', async () => {
  let lookups = 0
  const find: Ledger['find'] = (keyDigest) => {
    lookups++
    return counted.ledger.find(keyDigest)
  }
  const counted = await startPlane({ faults: { find } })
  const [first, second] = [await counted.mint(), await counted.mint()]
  const connection = await openRaw(counted.port)
  const ask = async (auth: string) => {
    connection.write(bytesOf('POST /proxy/api/v1/responses', [auth, JSON_TYPE], '{"model":"m-1"}'))
    const { status, headers } = await connection.answer()
    return [status, headers['till-key-id']]
  }
  for (const { auth, grant } of [first, first, second, second, first]) expect(await ask(auth)).toEqual([200, grant.id])
  expect([await first.used(), await second.used(), lookups]).toEqual([3, 2, 3])

  const last = first.key.at(-1) === 'x' ? 'y' : 'x'
  for (const almost of [`${first.key.slice(0, -1)}${last}`, first.key.slice(0, -1), `${first.key}x`])
    expect(await ask(`authorization: Bearer ${almost}`)).toEqual([403, undefined])
  await counted.ledger.end(first.grant, 'revoked_by_job', counted.now)
  expect(await ask(first.auth)).toEqual([410, first.grant.id])
  connection.close()
  await counted.close()
})

test('T15: the key in the target is refused, under any name', async () => {
  const { key, auth } = await till.mint()
  for (const query of [`key=${key}`, `whatever=${key}`, 'api_key=sk-1']) {
    const answer = await post(auth, '{}', `/proxy/api/v1/responses?${query}`)
    expect(answer.headers['till-error']).toBe('request_refused')
  }
  expect(sent()).toBe(0)
})

test.each([
  ['another provider', 'POST', '/proxy/other/v1/responses', 'Provider "other"'],
  ['another route', 'POST', '/proxy/api/v1/fine_tuning', 'POST /v1/fine_tuning'],
  ['another method', 'GET', '/proxy/api/v1/responses', 'GET /v1/responses'],
  ['HEAD where only GET is named', 'HEAD', '/proxy/api/v1/models', ''],
  ['a method that no route can name', 'PROPFIND', '/proxy/api/v1/responses', 'PROPFIND /v1/responses'],
  ['a segment too many', 'GET', '/proxy/api/v1/items/1/2', 'GET /v1/items/1/2'],
])('%s is outside the scope: 403, named in the sentence, nothing spent', async (_name, method, path, named) => {
  const { auth, used } = await till.mint()
  const answer = await raw(till.port, bytesOf(`${method} ${path}`, [auth, 'connection: close']))
  expect(answer.status).toBe(403)
  expect(answer.headers['till-error']).toBe('scope_denied')
  if (method !== 'HEAD') expect(answer.json()['message']).toContain(named)
  expect(answer.headers).toMatchObject({ 'till-activations-used': '0', 'till-activations-remaining': '25' })
  expect(await used()).toBe(0)
  expect(sent()).toBe(0)
})

test("T14: what is sent is the path in the provider's spelling, with the query byte for byte", async () => {
  const { auth } = await till.mint()
  for (const path of ['/responses', '/v1/responses', '/v1/v1/responses'])
    await post(auth, '{}', `/proxy/api${path}?a=%C3%A9&b=+x`)
  expect(till.upstream.requests.slice(-3).map(({ line }) => line)).toEqual(
    Array(3).fill('POST /v1/responses?a=%C3%A9&b=+x HTTP/1.1'),
  )
})

test('a refusal is one body for every client, and tells it not to come again', async () => {
  const { auth, grant } = await till.mint({ limit: 1 })
  await post(auth)
  const { status, headers, json } = await post(auth)
  const id = headers['till-request-id']
  const sentence = `All 1 activations of key ${grant.id} are spent (policy "review"). Ask for more with activations:, or raise the policy.`
  expect(status).toBe(410)
  expect(json()).toEqual({
    type: 'error',
    message: sentence,
    error: {
      type: 'activations_exhausted',
      message: sentence,
      code: 'activations_exhausted',
      param: null,
      status: 'PERMISSION_DENIED',
    },
    request_id: id,
    documentation_url: expect.stringMatching(/^https:.*#activations_exhausted$/),
  })
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-should-retry': 'false',
    'till-error': 'activations_exhausted',
    'till-activations-remaining': '0',
    'x-request-id': id,
    'request-id': id,
  })
  expect(headers).not.toHaveProperty('retry-after')
})

test.each([['originator: codex_exec'], ['user-agent: codex_exec/0.169.0 (Linux)'], ['user-agent: Codex/1']])(
  'Codex, known by "%s", gets a 400 where others get what it would repeat',
  async (header) => {
    const { auth } = await till.mint({ limit: 1 })
    await post(auth)
    const answer = await post(auth, '{}', undefined, [header])
    expect(answer.status).toBe(400)
    expect(answer.json().error).toMatchObject({ code: 'activations_exhausted', status: 'INVALID_ARGUMENT' })
  },
)

test('T30: an expired key, an idle key and a revoked key are refused with 410, on free routes too', async () => {
  const expired = await till.mint({ expiresAt: till.now + 10 })
  const idle = await till.mint({ idleAfterSeconds: 5 })
  const revoked = await till.mint()
  await till.ledger.end(revoked.grant, 'revoked_by_job', till.now)
  till.now += 20
  for (const [{ auth }, code] of [
    [expired, 'key_expired'],
    [idle, 'key_expired'],
    [revoked, 'key_revoked'],
  ] as const) {
    const charged = await post(auth)
    const free = await raw(till.port, bytesOf('GET /proxy/api/v1/models', [auth]))
    expect([charged.status, charged.headers['till-error']]).toEqual([410, code])
    expect([free.status, free.headers['till-error']]).toEqual([410, code])
  }
  expect(sent()).toBe(0)
})

test('a key that idled away is told of idle_after, and one that expired of expires-in', async () => {
  const expired = await till.mint({ expiresAt: till.now + 10, idleAfterSeconds: 100 })
  const idle = await till.mint({ idleAfterSeconds: 5 })
  till.now += 20
  for (const [{ auth }, remedy, other] of [
    [expired, 'expires-in:', 'idle_after'],
    [idle, 'raise idle_after', 'expires-in:'],
  ] as const) {
    const { message } = (await post(auth)).json()
    expect(message).toContain(remedy)
    expect(message).not.toContain(other)
  }
})

test('the very request that finds its key expired gets the numbers of the key, on free routes too', async () => {
  for (const line of ['POST /proxy/api/v1/responses', 'GET /proxy/api/v1/models']) {
    const { auth } = await till.mint({ limit: 7, expiresAt: till.now + 1 })
    till.now += 1
    const { status, headers } = await raw(till.port, bytesOf(line, [auth]))
    expect([status, headers['till-activations-used'], headers['till-activations-remaining']]).toEqual([410, '0', '7'])
  }
})

test('a free route costs nothing, is on record, and is limited by the minute', async () => {
  const { auth, used, events } = await till.mint({ limit: 1 })
  const get = () => raw(till.port, bytesOf('GET /proxy/api/v1/models', [auth]))
  for (let n = 0; n < 3; n++) expect((await get()).headers).toMatchObject({ 'till-activations-used': '0' })
  const limited = await get()
  expect([limited.status, limited.headers['till-error']]).toEqual([429, 'limit_exceeded'])
  expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0)
  expect(limited.headers).not.toHaveProperty('x-should-retry')
  till.now += 60
  expect((await get()).status).toBe(200)
  expect(await used()).toBe(0)
  const finished = (await events('request.finished')).filter(({ type }) => type === 'request.finished')
  expect(finished[0]).toMatchObject({ free: true, route: 'GET /v1/models', status: 200 })
  await post(auth)
  expect((await get()).headers['till-error']).toBe('activations_exhausted')
})

test('a key has only so many requests open at once, and the next may come when one has ended', async () => {
  const { auth } = await till.mint({ concurrentRequests: 2 })
  const held: (() => void)[] = []
  till.upstream.answers((_request, socket) => held.push(() => socket.write(answerOf(200, [], 'late'))))
  const open = [post(auth), post(auth)]
  await till.upstream.request(before + 2)
  const refused = await post(auth)
  expect([refused.status, refused.headers['till-error'], refused.headers['retry-after']]).toEqual([
    429,
    'too_many_concurrent',
    '1',
  ])
  for (const release of held) release()
  expect((await Promise.all(open)).map(({ body }) => body)).toEqual(['late', 'late'])
  till.upstream.answers((_request, socket) => void socket.write(answerOf(200, [], 'free again')))
  expect((await post(auth)).body).toBe('free again')
})

test('T21: where the scope names models, the body must name one of them', async () => {
  const { auth, used } = await till.mint({
    scope: { routes: new Map([['api', till.providers.get('api')!.routes]]), models: ['m-1', 'n-*'] },
  })
  expect((await post(auth)).status).toBe(200)
  expect((await post(auth, '{"model":"n-7"}')).status).toBe(200)
  const denied = await post(auth, '{"model":"m-2"}')
  expect([denied.status, denied.headers['till-error']]).toEqual([403, 'scope_denied'])
  expect(denied.json()['message']).toContain('"m-2"')
  for (const body of ['', '{"model":"m-1","model":"m-2"}', '{"Model":"m-2","model":"m-1"}', '[]', '{"model":1}', '{'])
    expect([body, (await post(auth, body)).headers['till-error']]).toEqual([body, 'request_refused'])
  const type = await raw(
    till.port,
    bytesOf('POST /proxy/api/v1/responses', [auth, 'content-type: text/plain'], '{"model":"m-1"}'),
  )
  expect(type.headers['till-error']).toBe('request_refused')
  const encoded = await post(auth, '{"model":"m-1"}', undefined, ['content-encoding: gzip'])
  expect(encoded.headers['till-error']).toBe('request_refused')
  expect(await used()).toBe(2)
})

test('T21: a model in the path is checked there', async () => {
  const { auth } = await till.mint({
    scope: { routes: new Map([['paths', till.providers.get('paths')!.routes]]), models: ['gemini-3'] },
  })
  expect((await post(auth, '{}', '/proxy/paths/v1beta/models/gemini-3:generateContent')).status).toBe(200)
  const denied = await post(auth, '{}', '/proxy/paths/v1beta/models/gemini-4:generateContent')
  expect(denied.headers['till-error']).toBe('scope_denied')
})

test('a body over the limit is refused with 413: before it is read, while it is read, and at the lower limit where the model is checked', async () => {
  const { auth, used } = await till.mint()
  const checked = await till.mint({
    scope: { routes: new Map([['api', till.providers.get('api')!.routes]]), models: ['m-1'] },
  })
  const announced = await raw(
    till.port,
    `${bytesOf('POST /proxy/api/v1/responses', [auth, JSON_TYPE, 'content-length: 4097'])}`,
  )
  expect([announced.status, announced.headers['till-error']]).toEqual([413, 'body_too_large'])
  expect(await used()).toBe(0)
  expect((await post(checked.auth, `{"model":"m-1","x":"${'y'.repeat(2048)}"}`)).status).toBe(413)

  const connection = await openRaw(till.port)
  connection.write(bytesOf('POST /proxy/api/v1/responses', [checked.auth, JSON_TYPE, 'transfer-encoding: chunked']))
  connection.write(`800\r\n${' '.repeat(2048)}\r\n1\r\n \r\n`)
  expect((await connection.answer()).headers['till-error']).toBe('body_too_large')
  connection.close()
  expect(sent()).toBe(0)
})

test('a streamed body that passes the limit midway costs its one activation', async () => {
  const { auth, used } = await till.mint()
  const connection = await openRaw(till.port)
  connection.write(bytesOf('POST /proxy/api/v1/responses', [auth, 'transfer-encoding: chunked']))
  connection.write(`800\r\n${' '.repeat(2048)}\r\n`)
  connection.write(`801\r\n${' '.repeat(2049)}\r\n`)
  expect((await connection.answer()).headers['till-error']).toBe('body_too_large')
  connection.close()
  expect(await used()).toBeLessThanOrEqual(1)
  expect(sent()).toBe(0)
})

test('T22: an upgrade is refused with 426 before the key is looked at', async () => {
  for (const auth of [(await till.mint()).auth, 'x-nothing: 1']) {
    const answer = await raw(
      till.port,
      bytesOf('GET /proxy/api/v1/responses', [
        auth,
        'connection: upgrade',
        'upgrade: websocket',
        'sec-websocket-version: 13',
        'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
      ]),
    )
    expect([answer.status, answer.headers['till-error']]).toEqual([426, 'upgrade_refused'])
    expect(answer.headers).not.toHaveProperty('till-key-id')
  }
})

test('T40: a credential that is missing, or fits into no header, sends nothing and is not printed', async () => {
  const { auth, used } = await till.mint()
  till.credentials.set('api', 'sk-live\r\nx-evil: 1')
  const broken = await post(auth)
  till.credentials.delete('api')
  const missing = await post(auth)
  till.credentials.set('api', CREDENTIAL)
  for (const answer of [broken, missing]) {
    expect([answer.status, answer.headers['till-error']]).toEqual([503, 'credential_missing'])
    expect(answer.body).not.toContain('sk-live')
  }
  expect(await used()).toBe(0)
  expect(sent()).toBe(0)
})

test.each(['find', 'charge', 'admitFree', 'state'] as const)(
  'T27: when the ledger cannot %s, the request is refused with 503 and nothing is sent',
  async (method) => {
    const fails = async () => {
      throw new StorageUnavailable('the disk is full')
    }
    const faulty = await startPlane({ faults: { [method]: fails } })
    const { auth } = await faulty.mint()
    const line =
      method === 'admitFree' || method === 'state' ? 'GET /proxy/api/v1/models' : 'POST /proxy/api/v1/responses'
    const answer = await raw(faulty.port, bytesOf(line, [auth]))
    expect([answer.status, answer.headers['till-error']]).toEqual([503, 'storage_unavailable'])
    expect(answer.headers).not.toHaveProperty('x-should-retry')
    expect(answer.body).not.toContain('disk')
    expect(faulty.log).toEqual([{ event: 'ledger.failed', fields: { reason: 'the disk is full', count: 1 } }])
    expect(faulty.upstream.connections).toBe(0)
    await faulty.close()
  },
)

test.each([
  ['charge', 'POST /proxy/api/v1/responses', 503],
  ['record', 'POST /proxy/api/v1/elsewhere', 403],
] as const)(
  'a ledger that cannot %s says why at once, then once a second, with the count',
  async (verb, line, status) => {
    const why = async () => {
      throw new StorageUnavailable('the disk is full')
    }
    const faulty = await startPlane({ faults: { [verb]: why } })
    const { auth } = await faulty.mint()
    for (let i = 0; i < 20; i++) expect((await raw(faulty.port, bytesOf(line, [auth]))).status).toBe(status)
    const counts = () => faulty.log.map(({ fields }) => Number(fields?.count))
    while (counts().reduce((sum, count) => sum + count, 0) < 20) await sleep(20)
    expect(counts()[0]).toBe(1)
    expect(counts().length).toBeLessThan(10)
    await faulty.close()
  },
)

test('T40: a fault of the broker is refused without being told as one of the ledger, and logged by its class', async () => {
  const fails = async () => {
    throw new TypeError(`cannot read ${CREDENTIAL}`)
  }
  const faulty = await startPlane({ faults: { charge: fails } })
  const { auth } = await faulty.mint()
  const answer = await raw(faulty.port, bytesOf('POST /proxy/api/v1/responses', [auth]))
  expect([answer.status, answer.headers['till-error']]).toEqual([503, 'storage_unavailable'])
  expect(answer.json().error.message).toBe(
    'Something in the broker failed, and its log names it. Try again in a while.',
  )
  expect(faulty.log).toEqual([{ event: 'request.fault', fields: { error: 'TypeError', code: null } }])
  await faulty.close()
})

test('refusals are on record with what was asked, and cost nothing', async () => {
  const { auth, events } = await till.mint()
  await raw(till.port, bytesOf('GET /proxy/api/v1/secret?x=1', [auth]))
  expect((await events('request.refused')).at(-1)).toMatchObject({
    code: 'scope_denied',
    provider: 'api',
    route: 'GET /v1/secret',
    count: 1,
  })
})

test.each([
  ['a path that is no path', (_: string) => '/proxy/api/v1/%2e%2e/responses', 'api'],
  ['the key in its path', (key: string) => `/proxy/api/v1/${key}`, 'api'],
  ['a credential in its query', (key: string) => `/proxy/api/v1/responses?key=${key}`, 'api'],
  ['no provider', (_: string) => '/proxy/..', '(unreadable)'],
])('a target with %s is on record of the key that was shown, and is not written down', async (_, target, provider) => {
  const { key, auth, grant, events } = await till.mint()
  const answer = await raw(till.port, bytesOf(`GET ${target(key)}`, [auth]))
  expect([answer.headers['till-error'], answer.headers['till-key-id']]).toEqual(['request_refused', grant.id])
  const fact = { type: 'request.refused', code: 'request_refused', provider, route: 'GET (unreadable)', count: 1 }
  expect((await events('request.refused')).at(-1)).toMatchObject(fact)
})

test('an activation and its end are on record, with bytes, model and tokens', async () => {
  const { auth, events } = await till.mint()
  const body = '{"model":"m-1","usage":{"input_tokens":12,"output_tokens":34}}'
  till.upstream.answers((_request, socket) => void socket.write(answerOf(200, [], body)))
  await post(auth)
  const [, activation, finished] = await events('request.finished')
  expect(activation).toMatchObject({
    type: 'activation',
    provider: 'api',
    route: 'POST /v1/responses',
    model: 'm-1',
    used: 1,
  })
  expect(finished).toMatchObject({
    type: 'request.finished',
    request_id: (activation as { request_id: string }).request_id,
    free: false,
    status: 200,
    outcome: 'answered',
    bytes_in: 15,
    bytes_out: body.length,
    model: 'm-1',
    input_tokens: 12,
    output_tokens: 34,
  })
})
