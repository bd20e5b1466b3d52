import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StorageUnavailable } from '#broker/ports.ts'
import { remedies } from '#control/health.ts'
import { refusal } from '#domain/refusal.ts'
import { type Plane, problem, startPlane } from './plane.ts'

let plane: Plane
beforeEach(async () => {
  plane = await startPlane({ limits: { bodyTime: 200 } })
})
afterEach(() => plane.close())

const get = (target: string, version = 'HTTP/1.1', headers = 'Host: till.test\r\n') =>
  plane.raw(`GET ${target} ${version}\r\n${headers}Connection: close\r\n\r\n`)

test('healthz and readyz answer 200', async () => {
  expect((await plane.fetch('/healthz')).status).toBe(200)
  expect((await plane.fetch('/readyz')).status).toBe(200)
})

test('readyz answers 503 with the name of the part that does not work', async () => {
  plane.control.unready = async () => 'storage'
  const response = await plane.fetch('/readyz')
  expect(response.status).toBe(503)
  const detail = expect.stringMatching(/^The broker is not ready: storage\. /)
  expect(await problem(response)).toMatchObject({ code: 'not_ready', detail })
  expect((await plane.fetch('/healthz')).status).toBe(200)
})

test.each(Object.entries(remedies))(
  'readyz says what to do about %s, and the documentation, too',
  async (part, remedy) => {
    plane.control.unready = async () => part as keyof typeof remedies
    expect((await problem(await plane.fetch('/readyz'))).detail).toBe(`The broker is not ready: ${part}. ${remedy}`)
    expect(readFileSync('docs/operations.md', 'utf8')).toContain(`| \`${part}\` | `)
    expect(readFileSync('docs/api.md', 'utf8')).toMatch(new RegExp(`names the part: .*\`${part}\``))
  },
)

test('a broker that stops mints no more, and still revokes', async () => {
  const { id, key } = await plane.minted()
  plane.control.stopping = () => true
  const response = await plane.mint(await plane.token())
  expect([response.status, (await problem(response)).code]).toEqual([503, 'not_ready'])
  const headers = { authorization: `Bearer ${key}` }
  expect((await plane.fetch(`/v1/keys/${id}`, { method: 'DELETE', headers })).status).toBe(200)
})

test('503 storage_unavailable when the ledger cannot be written, and nothing was minted', async () => {
  const { ledger } = plane.world
  plane.control.ledger = { ...ledger, mint: () => Promise.reject(new StorageUnavailable('/var/lib/till is full')) }
  const token = await plane.token()
  const response = await plane.mint(token)
  expect(response.status).toBe(503)
  const { code, detail } = await problem(response)
  expect(code).toBe('storage_unavailable')
  expect(detail).not.toContain('/var/lib')
  plane.control.ledger = ledger
  expect((await plane.mint(token)).status).toBe(201)
})

test('503 storage_unavailable when a denial cannot be recorded', async () => {
  plane.control.ledger = { ...plane.world.ledger, refuseMint: () => Promise.reject(new StorageUnavailable('full')) }
  const response = await plane.mint(await plane.token(plane.issuer.job({ repository_id: '9' })))
  expect((await problem(response)).code).toBe('storage_unavailable')
})

test('503 issuer_keys_unavailable when the keys of the issuer are not known', async () => {
  plane.control.verifier = { verify: async () => refusal('issuer_keys_unavailable', 'The keys are not known.', 5) }
  const response = await plane.mint('any.id.token')
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('5')
  expect((await problem(response)).code).toBe('issuer_keys_unavailable')
})

test('503 credential_missing when the broker holds no credential for a provider', async () => {
  plane.world.held.delete('openai')
  const response = await plane.mint(await plane.token())
  expect(response.status).toBe(503)
  expect((await problem(response)).code).toBe('credential_missing')
})

test('409 job_ended when the broker knows that the job is over', async () => {
  plane.control.ledger = {
    ...plane.world.ledger,
    mint: async () => ({ kind: 'refused', code: 'job_ended' }),
  }
  const response = await plane.mint(await plane.token())
  expect([response.status, (await problem(response)).code]).toEqual([409, 'job_ended'])
})

test('429 limit_exceeded says when to come again, where that is known', async () => {
  plane.control.ledger = {
    ...plane.world.ledger,
    mint: async () => ({ kind: 'refused', code: 'limit_exceeded', limit: 'mints_per_minute' }),
  }
  const response = await plane.mint(await plane.token())
  expect([response.status, (await problem(response)).code]).toEqual([429, 'limit_exceeded'])
  expect(response.headers.get('retry-after')).toBe('60')
})

test('a fault is a closed 503 without its text, and the log has its name', async () => {
  const lines: unknown[] = []
  plane.control.log = { ...plane.world.log, error: (event, fields) => lines.push([event, fields]) }
  plane.control.ledger = { ...plane.world.ledger, find: () => Promise.reject(new TypeError('sk-secret at line 1')) }
  const { key } = await plane.minted()
  const response = await plane.fetch('/v1/keys/self', { headers: { authorization: `Bearer ${key}` } })
  expect(response.status).toBe(503)
  expect(await response.text()).not.toMatch(/sk-secret|TypeError|\.ts/)
  expect(lines).toEqual([['control.fault', { route: 'GET /v1/keys/self', reason: 'TypeError' }]])
})

test.each([
  '/Healthz',
  '/healthz/',
  '/v1/keys/',
  '/V1/keys',
  '/v1%2fkeys',
  '/v1/keys/self/',
  '/v1/webhooks/gitlab',
  '/',
])('404 not_found at %s: paths are exact', async (path) => {
  expect(await get(path)).toMatch(/^HTTP\/1\.1 404 .*"code":"not_found"/s)
})

test.each([
  ['PUT', '/v1/keys', 'POST'],
  ['GET', '/v1/keys', 'POST'],
  ['POST', '/v1/keys/self', 'GET, HEAD'],
  ['OPTIONS', '/healthz', 'GET, HEAD'],
  ['TRACE', '/healthz', 'GET, HEAD'],
  ['GET', '/v1/keys/k_1', 'DELETE'],
])('405 method_not_allowed for %s %s, with Allow: %s', async (method, path, allow) => {
  const answer = await plane.raw(`${method} ${path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1\.1 405 .*"code":"method_not_allowed"/s)
  expect(answer.toLowerCase()).toContain(`\r\nallow: ${allow.toLowerCase()}\r\n`)
})

test('HEAD is answered as GET, without a body', async () => {
  const answer = await plane.raw('HEAD /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
  expect(answer).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\n$/s)
})

test.each([
  ['content-length', 'Content-Length: 16385\r\n', 'x'.repeat(16_385)],
  ['chunked', 'Transfer-Encoding: chunked\r\n', `4001\r\n${'x'.repeat(16_385)}\r\n0\r\n\r\n`],
  ['content-length of a gigabyte', 'Content-Length: 1073741824\r\n', 'x'],
])('413 body_too_large for a mint over 16 KiB: %s', async (_, header, body) => {
  const answer = await plane.raw(`POST /v1/keys HTTP/1.1\r\nHost: t\r\nConnection: close\r\n${header}\r\n${body}`)
  expect(answer).toMatch(/^HTTP\/1\.1 413 .*"code":"body_too_large"/s)
})

test('a body of exactly 16 KiB is read', async () => {
  const body = JSON.stringify({ providers: ['openai'] }).padEnd(16_384)
  expect((await plane.mint(await plane.token(), body)).status).toBe(201)
})

test('408 request_timeout when a body does not end in time, and the connection is closed', async () => {
  const answer = await plane.raw('POST /v1/keys HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n{')
  expect(answer).toMatch(/^HTTP\/1\.1 408 .*\r\nconnection: close\r\n.*"code":"request_timeout"/is)
})

test.each([
  ['absolute form', 'GET http://till.test/healthz HTTP/1.1\r\nHost: t\r\n'],
  ['absolute form to another host', 'GET http://evil.test/healthz HTTP/1.1\r\nHost: t\r\n'],
  ['two slashes', 'GET //healthz HTTP/1.1\r\nHost: t\r\n'],
  ['asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: t\r\n'],
  ['backslash', 'GET /\\healthz HTTP/1.1\r\nHost: t\r\n'],
  ['fragment', 'GET /healthz#x HTTP/1.1\r\nHost: t\r\n'],
  ['target over 4 KiB', `GET /${'a'.repeat(4096)} HTTP/1.1\r\nHost: t\r\n`],
  ['two Host', 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n'],
  ['a list as Host', 'GET /healthz HTTP/1.1\r\nHost: a, b\r\n'],
  ['a user in Host', 'GET /healthz HTTP/1.1\r\nHost: t@evil\r\n'],
  ['an empty Host', 'GET /healthz HTTP/1.1\r\nHost: \r\n'],
  ['101 headers', `GET /healthz HTTP/1.1\r\nHost: t\r\n${'a: b\r\n'.repeat(100)}`],
  ['HTTP/0.9', 'GET /healthz HTTP/0.9\r\nHost: t\r\n'],
  ['HTTP/2.0', 'GET /healthz HTTP/2.0\r\nHost: t\r\n'],
  ['HTTP/1.0 with a transfer coding', 'POST /v1/keys HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n'],
  ['two transfer codings', 'POST /v1/keys HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n'],
  ['a content coding', 'POST /v1/keys HTTP/1.1\r\nHost: t\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n'],
  ['a length with a zero before it', 'POST /v1/keys HTTP/1.1\r\nHost: t\r\nContent-Length: 02\r\n'],
  [
    'two Authorization',
    'GET /v1/keys/self HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n',
  ],
  ['a body on GET', 'GET /healthz HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n'],
  ['a body on DELETE', 'DELETE /v1/keys/k_1 HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n'],
  ['a broken percent escape', 'DELETE /v1/keys/%zz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n'],
])('400 for %s', async (_, head) => {
  expect(await plane.raw(`${head}\r\n`, '}')).toMatch(/^HTTP\/1\.1 400 /)
})

test('what follows a request that was refused for its form is not read', async () => {
  const answer = await plane.raw('GET //x HTTP/1.1\r\nHost: t\r\n\r\nGET /healthz HTTP/1.1\r\nHost: t\r\n\r\n')
  expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
})

test('a connection is kept for the next request', async () => {
  const request = 'GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n'
  const last = 'GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n'
  const answer = await plane.raw(request + request + last)
  expect(answer.match(/HTTP\/1\.1 200 /g)).toHaveLength(3)
})

test('a query changes nothing', async () => {
  expect((await plane.fetch('/healthz?a=1&a=2&__proto__=x')).status).toBe(200)
})

test('a key in the query is not taken', async () => {
  const { key } = await plane.minted()
  expect((await plane.fetch(`/v1/keys/self?key=${key}&access_token=${key}`)).status).toBe(401)
})

test('answers name neither the framework nor a version of themselves', async () => {
  const { headers } = await plane.fetch('/.well-known/till')
  expect(headers.get('x-powered-by')).toBeNull()
  expect(headers.get('etag')).toBeNull()
  expect(headers.get('cache-control')).toBe('no-store')
})

test('a client that goes away midway is no fault of the broker', async () => {
  const lines: string[] = []
  plane.control.log = { ...plane.world.log, error: (event) => lines.push(event) }
  const { connect } = await import('node:net')
  const socket = connect(Number(new URL(plane.url).port), '127.0.0.1')
  await new Promise((sent) => socket.write('POST /v1/keys HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n{', sent))
  await new Promise((closed) => socket.on('close', closed).destroy())
  expect((await plane.fetch('/healthz')).status).toBe(200)
  expect(lines).toEqual([])
})
