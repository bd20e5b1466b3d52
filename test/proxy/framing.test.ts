import { afterAll, beforeAll, expect, test } from 'vitest'
import { bytesOf, openRaw, raw } from '#test/support/raw-client.ts'
import { type MintedKey, type PlaneUnderTest, startPlane } from './plane.ts'

let till: PlaneUnderTest
let minted: MintedKey
beforeAll(async () => {
  till = await startPlane({ limits: { bodyIdle: 300 } })
  minted = await till.mint()
})
afterAll(() => till.close())

const POST = 'POST /proxy/api/v1/responses'
const GET = 'GET /proxy/api/v1/items/1'

/** Each is a request that Node's parser takes, or once took, and that two servers could read in two ways. */
const traps: readonly (readonly [name: string, bytes: (auth: string) => string])[] = [
  ['two Host headers', (auth) => bytesOf(POST, [auth, 'host: a', 'host: b'])],
  ['a list of hosts', (auth) => bytesOf(POST, [auth, 'host: a, b'])],
  ['an empty Host', (auth) => bytesOf(POST, [auth, 'host:'])],
  ['a Host with a user', (auth) => bytesOf(POST, [auth, 'host: till@evil'])],
  ['no Host', (auth) => `${POST} HTTP/1.1\r\n${auth}\r\n\r\n`],
  [
    'Transfer-Encoding: identity, chunked',
    (auth) => bytesOf(POST, [auth, 'transfer-encoding: identity, chunked'], '0\r\n\r\n'),
  ],
  [
    'Transfer-Encoding: gzip, chunked',
    (auth) => bytesOf(POST, [auth, 'transfer-encoding: gzip, chunked'], '0\r\n\r\n'),
  ],
  ['Transfer-Encoding: xchunked', (auth) => bytesOf(POST, [auth, 'transfer-encoding: xchunked'], '0\r\n\r\n')],
  ['Transfer-Encoding: chunked;q=1', (auth) => bytesOf(POST, [auth, 'transfer-encoding: chunked;q=1'], '0\r\n\r\n')],
  [
    'two Transfer-Encodings',
    (auth) => bytesOf(POST, [auth, 'transfer-encoding: chunked', 'transfer-encoding: chunked'], '0\r\n\r\n'),
  ],
  [
    'Transfer-Encoding and Content-Length',
    (auth) => bytesOf(POST, [auth, 'transfer-encoding: chunked', 'content-length: 5'], '0\r\n\r\n'),
  ],
  [
    'Transfer-Encoding in HTTP/1.0',
    (auth) => bytesOf(POST, [auth, 'transfer-encoding: chunked'], '0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0'),
  ],
  ['two Content-Lengths', (auth) => bytesOf(POST, [auth, 'content-length: 2', 'content-length: 2'], '{}')],
  ['Content-Length: 02', (auth) => bytesOf(POST, [auth, 'content-length: 02'], '{}')],
  ['Content-Length: +2', (auth) => bytesOf(POST, [auth, 'content-length: +2'], '{}')],
  ['HTTP/2.0 in the request line', (auth) => bytesOf(POST, [auth]).replace('HTTP/1.1', 'HTTP/2.0')],
  ['HTTP/0.9 in the request line', (auth) => bytesOf(POST, [auth]).replace('HTTP/1.1', 'HTTP/0.9')],
  ['an absolute target', (auth) => bytesOf('POST http://till.example/proxy/api/v1/responses', [auth])],
  ['an absolute target of the provider', (auth) => bytesOf('POST https://api.openai.com/v1/responses', [auth])],
  ['the target *', (auth) => bytesOf('OPTIONS *', [auth])],
  ['TRACE', (auth) => bytesOf('TRACE /proxy/api/v1/responses', [auth])],
  ['an Expect of something else', (auth) => bytesOf(POST, [auth, 'expect: y 100-continue'])],
  ['a body with GET', (auth) => bytesOf(GET, [auth], '{}')],
  ['a body with HEAD', (auth) => bytesOf('HEAD /proxy/api/v1/items/1', [auth, 'content-length: 2'], '{}')],
  ['a chunked body with GET', (auth) => bytesOf(GET, [auth, 'transfer-encoding: chunked'], '0\r\n\r\n')],
  ['more than 100 headers', (auth) => bytesOf(POST, [auth, ...Array.from({ length: 100 }, (_, n) => `x-${n}: 1`)])],
  [
    'a Host beyond the number of headers that Node looks at',
    (auth) => bytesOf(POST, [auth, 'host: a', ...Array.from({ length: 1500 }, () => 'x:'), 'host: b']),
  ],
  ['a head over 16 KiB', (auth) => bytesOf(POST, [auth, `x-long: ${'x'.repeat(17_000)}`])],
]

test.each(traps)(
  'T19: %s is refused with a 4xx, the connection is closed, and nothing is sent',
  async (_name, bytes) => {
    const connection = await openRaw(till.port)
    connection.write(bytes(minted.auth))
    const isHead = bytes('').startsWith('HEAD')
    const { status } = await connection.answer(isHead ? 'HEAD' : undefined)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    await connection.closed
    expect(await minted.used()).toBe(0)
    expect(till.upstream.connections).toBe(0)
  },
)

test('T19: CONNECT gets no tunnel', async () => {
  const connection = await openRaw(till.port)
  connection.write(bytesOf('CONNECT api.openai.com:443', [minted.auth]))
  expect((await connection.answer()).status).toBe(400)
  await connection.closed
  expect(till.upstream.connections).toBe(0)
})

test('T56: a target over 4 KiB is refused, and one of 4 KiB is not', async () => {
  const path = '/proxy/api/v1/items/'
  const long = (length: number) =>
    raw(till.port, bytesOf(`GET ${path}${'a'.repeat(length - path.length)}`, [minted.auth]))
  expect((await long(4097)).headers['till-error']).toBe('request_refused')
  expect((await long(4096)).status).toBe(200)
})

test('T19: 100 headers pass', async () => {
  const answer = await raw(
    till.port,
    bytesOf(POST, [minted.auth, ...Array.from({ length: 98 }, (_, n) => `x-${n}: 1`)]),
  )
  expect(answer.status).toBe(200)
})

test('T19: a chunked body is framed anew, and its extensions and trailers go nowhere', async () => {
  const before = till.upstream.requests.length
  const connection = await openRaw(till.port)
  connection.write(bytesOf(POST, [minted.auth, 'transfer-encoding: chunked', 'trailer: x-late']))
  connection.write('3;evil=1\r\nabc\r\n')
  connection.write('2\r\nde\r\n0\r\nx-late: 1\r\nauthorization: Bearer other\r\n\r\n')
  expect((await connection.answer()).status).toBe(200)
  connection.close()
  const got = till.upstream.requests[before]!
  expect(got.body).toBe('abcde')
  expect(JSON.stringify(got.headers)).not.toMatch(/late|evil|other/)
})

test('T19: pipelined requests are two requests, answered in order', async () => {
  const connection = await openRaw(till.port)
  connection.write(bytesOf(GET, [minted.auth]) + bytesOf('GET /proxy/api/v1/none', [minted.auth]))
  expect((await connection.answer()).status).toBe(200)
  expect((await connection.answer()).status).toBe(403)
  connection.close()
})

test('T19: a body that breaks in its chunks costs at most its one activation', async () => {
  const key = await till.mint()
  const connection = await openRaw(till.port)
  connection.write(bytesOf(POST, [key.auth, 'transfer-encoding: chunked']))
  connection.write('5\r\nabcdeXX')
  await connection.closed
  expect(await key.used()).toBeLessThanOrEqual(1)
})

test('Expect: 100-continue is answered only once the key is admitted', async () => {
  const asks = (auth: string, body: number) => bytesOf(POST, [auth, 'expect: 100-continue', `content-length: ${body}`])
  const refused = await openRaw(till.port)
  refused.write(asks('authorization: Bearer none', 2))
  expect((await refused.answer()).status).toBe(403)
  await refused.closed
  expect(refused.received).not.toContain('100 Continue')

  const spent = await till.mint({ limit: 1 })
  await raw(till.port, bytesOf(POST, [spent.auth]))
  const over = await openRaw(till.port)
  over.write(asks(spent.auth, 2))
  expect((await over.answer()).status).toBe(410)
  expect(over.received).not.toContain('100 Continue')

  const admitted = await openRaw(till.port)
  admitted.write(asks(minted.auth, 2))
  await admitted.until('HTTP/1.1 100 Continue\r\n\r\n')
  admitted.write('{}')
  expect((await admitted.answer()).status).toBe(200)
  admitted.close()
})

test('T56: a body that stops coming is given up', async () => {
  const key = await till.mint()
  const connection = await openRaw(till.port)
  connection.write(bytesOf(POST, [key.auth, 'content-length: 10'], 'abc'))
  const answer = await connection.answer()
  expect([answer.status, answer.headers['till-error']]).toEqual([400, 'request_refused'])
  connection.close()
})
