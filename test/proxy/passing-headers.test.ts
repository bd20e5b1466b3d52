import { afterAll, beforeAll, expect, test } from 'vitest'
import { bytesOf, raw } from '#test/support/raw-client.ts'
import { answerOf } from '#test/support/raw-upstream.ts'
import { CREDENTIAL, type MintedKey, type PlaneUnderTest, startPlane } from './plane.ts'

let till: PlaneUnderTest
let minted: MintedKey
beforeAll(async () => {
  till = await startPlane()
  minted = await till.mint({ limit: 1000 })
})
afterAll(() => till.close())

/** What the provider gets of these headers, in lower case. */
async function passed(...headers: string[]): Promise<string[]> {
  till.upstream.answers((_request, socket) => void socket.write(answerOf(200, [], '')))
  const answer = await raw(till.port, bytesOf('POST /proxy/api/v1/responses', [minted.auth, ...headers]))
  expect(answer.status).toBe(200)
  return till.upstream.requests
    .at(-1)!
    .headers.map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .filter((header) => !/^(?:host|connection|accept-encoding|content-length|authorization): /.test(header))
}

test('what agents send of their own passes: their betas, telemetry and idempotency keys', async () => {
  const own = [
    'anthropic-beta: a,b',
    'anthropic-version: 2023-06-01',
    'x-stainless-retry-count: 0',
    'user-agent: test/1',
    'idempotency-key: abc',
    'accept: application/json',
    'x-goog-api-client: gl-node/24',
    'session_id: s-1',
    'x-max-tokens: 5',
    'openai-beta: x',
  ]
  expect(await passed(...own)).toEqual(own)
})

test.each([
  ['hop-by-hop', ['keep-alive: 1', 'proxy-connection: keep-alive', 'te: trailers', 'trailer: x', 'http2-settings: x']],
  [
    'credentials',
    [
      'cookie: a=b',
      'proxy-authorization: Basic eDp5',
      'x-auth-token: t',
      'x-access-token: t',
      'private-token: t',
      'ocp-apim-subscription-key: k',
      'x-amz-security-token: t',
      'x-goog-iam-authorization-token: t',
      'x-authorization: b',
      'x-client-secret: s',
      'x-forwarded-authorization: b',
    ],
  ],
  [
    'forwarding',
    [
      'forwarded: for=1',
      'x-forwarded-for: 1.2.3.4',
      'x-forwarded-host: evil',
      'via: 1.1 x',
      'x-real-ip: 1.2.3.4',
      'true-client-ip: 1',
      'cf-connecting-ip: 1',
      'x-original-host: evil',
      'origin: https://evil',
      'referer: https://evil',
    ],
  ],
  [
    'method and target overrides',
    [
      'x-http-method-override: DELETE',
      'x-method-override: DELETE',
      'x-http-method: DELETE',
      'x-original-url: /admin',
      'x-rewrite-url: /admin',
    ],
  ],
  ['ours', ['till-request-id: forged', 'till-anything: x']],
  [
    'billing and tenancy',
    ['openai-organization: org-other', 'openai-project: other', 'x-goog-user-project: other', 'stripe-account: other'],
  ],
  ['encodings', ['accept-encoding: gzip, br']],
])('T18: %s headers do not go upstream', async (_name, headers) => {
  expect(await passed(...headers)).toEqual([])
})

test('T18: headers that Connection names are of the connection, and ours cannot be named away', async () => {
  expect(await passed('connection: x-private, authorization, content-type', 'x-private: 1', 'x-public: 2')).toEqual([
    'x-public: 2',
  ])
  expect(till.upstream.requests.at(-1)!.header('authorization')).toBe(`Bearer ${CREDENTIAL}`)
})

test('T18: the key goes upstream in no header, wherever the client put it', async () => {
  expect(await passed(`x-note: see ${minted.key}`, 'x-other: 1')).toEqual(['x-other: 1'])
})

test('T18: the injected credential stands alone in its header', async () => {
  await passed()
  const names = till.upstream.requests.at(-1)!.headers.map(([name]) => name.toLowerCase())
  expect(names.filter((name) => name === 'authorization')).toEqual(['authorization'])
})

/** What the client gets of a provider's headers. */
async function answered(status: number, ...headers: string[]) {
  till.upstream.answers((_request, socket) => void socket.write(answerOf(status, headers, 'body')))
  return raw(till.port, bytesOf('POST /proxy/api/v1/responses', [minted.auth]))
}

test("a provider's own headers pass, several of one name too", async () => {
  const { rawHeaders } = await answered(
    200,
    'x-ratelimit-remaining: 5',
    'openai-processing-ms: 12',
    'x-request-id: r',
    'x-many: 1',
    'x-many: 2',
    'retry-after: 7',
  )
  expect(rawHeaders.slice(0, 6)).toEqual([
    ['x-ratelimit-remaining', '5'],
    ['openai-processing-ms', '12'],
    ['x-request-id', 'r'],
    ['x-many', '1'],
    ['x-many', '2'],
    ['retry-after', '7'],
  ])
})

test.each([
  ['T25: cookies', ['set-cookie: a=b', 'Set-Cookie2: c=d']],
  ['T17: where to go next', ['location: https://evil', 'content-location: /x', 'refresh: 0; url=https://evil']],
  ['hop-by-hop headers', ['proxy-authenticate: Basic', 'trailer: x', 'upgrade: h2c', 'keep-alive: timeout=9999']],
  [
    'what speaks for our origin',
    [
      'alt-svc: h3=":443"',
      'strict-transport-security: max-age=1',
      'clear-site-data: "*"',
      'access-control-allow-origin: *',
      'nel: {}',
    ],
  ],
  ['orders to a server in front', ['x-accel-redirect: /etc', 'x-sendfile: /etc']],
  ['forged words of ours', ['till-key-id: k_forged', 'till-error: forged', 'till-activations-remaining: 999']],
  ['what Connection names', ['connection: x-private', 'x-private: 1']],
])('%s do not reach the client', async (_name, headers) => {
  const { rawHeaders, status } = await answered(200, ...headers)
  const names = headers.map((header) => header.split(':')[0]!.toLowerCase())
  const values = headers.map((header) => header.slice(header.indexOf(':') + 1).trim())
  expect(status).toBe(200)
  for (const [name, value] of rawHeaders) if (names.includes(name)) expect(values).not.toContain(value)
})

test.each([301, 302, 303, 307, 308])('T17: a %i is passed without its Location, and never followed', async (status) => {
  const before = till.upstream.connections
  const answer = await answered(status, `location: ${till.upstream.origin}/elsewhere`)
  expect([answer.status, answer.headers['location'], answer.body]).toEqual([status, undefined, 'body'])
  expect(till.upstream.requests.at(-1)!.line).toBe('POST /v1/responses HTTP/1.1')
  expect(till.upstream.connections - before).toBeLessThanOrEqual(1)
})

test('T20: trailers of the provider are dropped', async () => {
  till.upstream.answers(
    (_request, socket) =>
      void socket.write(
        `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-late: ${CREDENTIAL}\r\n\r\n`,
      ),
  )
  const answer = await raw(till.port, bytesOf('POST /proxy/api/v1/responses', [minted.auth]))
  expect(answer.body).toBe('hi')
  expect(JSON.stringify(answer.rawHeaders)).not.toContain('late')
})

test.each(['gzip', 'br', 'deflate', 'zstd', 'identity, gzip'])(
  'T20: an answer that is compressed with %s all the same is provider_failed',
  async (encoding) => {
    const answer = await answered(200, `content-encoding: ${encoding}`)
    expect([answer.status, answer.headers['till-error']]).toEqual([502, 'provider_failed'])
  },
)

test("T20: the provider's 401 becomes provider_credential_rejected, without its words", async () => {
  const { auth, used, events } = await till.mint()
  till.upstream.answers((_request, socket) => void socket.write(answerOf(401, [], `Incorrect API key: ${CREDENTIAL}`)))
  const answer = await raw(till.port, bytesOf('POST /proxy/api/v1/responses', [auth]))
  expect([answer.status, answer.headers['till-error']]).toEqual([403, 'provider_credential_rejected'])
  expect(answer.body).not.toContain('Incorrect')
  expect(await used()).toBe(1)
  expect((await events('request.finished')).at(-1)).toMatchObject({ outcome: 'credential_rejected', status: 403 })
})

test('T20: a header in which the provider repeats the credential is dropped', async () => {
  const { rawHeaders } = await answered(
    200,
    `x-echo: ${CREDENTIAL}`,
    `x-echo-2: ${btoa(`a${CREDENTIAL}`)}`,
    'x-fine: 1',
  )
  expect(rawHeaders.map(([name]) => name)).toContain('x-fine')
  expect(rawHeaders.map(([name]) => name)).not.toContain('x-echo')
  expect(rawHeaders.map(([name]) => name)).not.toContain('x-echo-2')
})

test("a provider's own error passes as it is", async () => {
  till.upstream.answers(
    (_request, socket) => void socket.write(answerOf(429, ['content-type: application/json'], '{"error":1}')),
  )
  const answer = await raw(till.port, bytesOf('POST /proxy/api/v1/responses', [minted.auth]))
  expect([answer.status, answer.body, answer.headers['till-error']]).toEqual([429, '{"error":1}', undefined])
})
