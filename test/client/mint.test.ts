import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { mint } from '#client/mint.ts'
import { type Answerer, json, KEY, KEY_ID, minted, problemOf, startFakeBroker } from '#test/support/fake-broker.ts'
import type { MintRequest } from '#wire/mint.ts'

// T50, T53: an answer is a key for what was asked, from the broker that was asked, or it is nonsense.

async function minting(answer: Answerer, options: { request?: Partial<MintRequest>; milliseconds?: number } = {}) {
  const broker = await startFakeBroker({ 'POST /v1/keys': answer })
  onTestFinished(broker.close)
  let tokens = 0
  const { answer: given, leftOver } = await mint({
    broker: broker.url,
    idToken: async () => `token.${++tokens}`,
    request: { providers: ['openai'], ...options.request },
    idempotencyKey: 'sixteen-characters',
    deadline: performance.now() + (options.milliseconds ?? 10_000),
  })
  return { given, leftOver, broker }
}

const withProvider = (base: (url: string) => string) => (url: string) =>
  minted(url, { providers: { openai: { base_url: base(url) } } })

test.each<[string, (url: string) => unknown]>([
  ['a key with a line feed', (url) => minted(url, { key: `${KEY}\n::add-path::x` })],
  ['a key with a line feed at its end', (url) => minted(url, { key: `${KEY}\n` })],
  ['a key of another form', (url) => minted(url, { key: 'sk-000000000000000000000000000000' })],
  ['a key that is too short', (url) => minted(url, { key: 'till_a' })],
  ['a key that is too long', (url) => minted(url, { key: `till_${'a'.repeat(200)}` })],
  ['a key that is not text', (url) => minted(url, { key: { toString: 'till_' } })],
  ['an id with a path in it', (url) => minted(url, { id: 'k_../../../x' })],
  ['an id with a command', (url) => minted(url, { id: 'k_0123\n::error::x' })],
  ['a policy with a command', (url) => minted(url, { policy: 'x"::error::y' })],
  ['another policy name than a name', (url) => minted(url, { policy: '\u001b[2J' })],
  ['activations as text', (url) => minted(url, { activations: '25' })],
  ['activations below one', (url) => minted(url, { activations: 0 })],
  ['activations that no integer holds', (url) => minted(url, { activations: 1e300 })],
  ['an expiry as text', (url) => minted(url, { expires_at: '2026' })],
  ['an expiry after the year 9999', (url) => minted(url, { expires_at: 1e15 })],
  ['a base URL of another origin', withProvider(() => 'https://evil.example/v1')],
  ['a base URL of another port', withProvider(() => 'http://127.0.0.1:1/v1')],
  ['a base URL with a user name', withProvider((url) => `${url.replace('//', '//a@')}/v1`)],
  ['a base URL whose origin is a user name', withProvider((url) => `${url}@evil.example/v1`)],
  ['a base URL whose origin is a prefix', withProvider((url) => `${url}0/v1`)],
  ['a base URL with a query', withProvider((url) => `${url}/v1?x=`)],
  ['a base URL with a fragment', withProvider((url) => `${url}/v1#x`)],
  ['a base URL with dot segments', withProvider((url) => `${url}/v1/../x`)],
  ['a base URL that a shell expands', withProvider((url) => `${url}/$(id)`)],
  ['a base URL with a quote', withProvider((url) => `${url}/"`)],
  ['a base URL with a line feed', withProvider((url) => `${url}/v1\nLD_PRELOAD=x`)],
  ['a base URL in another case', withProvider((url) => `${url.toUpperCase()}/v1`)],
  ['a base URL with a backslash', withProvider((url) => `${url}\\evil`)],
  ['another scheme', withProvider(() => 'javascript:alert(1)')],
  ['no provider', (url) => minted(url, { providers: {} })],
  ['a provider that is none of ours', (url) => minted(url, { providers: { path: { base_url: `${url}/x` } } })],
  ['a provider named as a prototype', () => '{"providers":{"__proto__":{"base_url":"x"}}}'],
  ['a list', () => []],
  ['null', () => null],
  ['text', () => 'till_'],
])('%s is nonsense', async (_, body) => {
  const { given, broker } = await minting((_request, response, url) => json(response, 201, body(url)))
  expect(given.kind).toBe('nonsense')
  expect(broker.asked).toEqual(['POST /v1/keys'])
})

test('an answer of the contract is ok', async () => {
  const { given } = await minting((_, response, url) => json(response, 201, minted(url)))
  expect(given).toMatchObject({ kind: 'ok', value: { key: KEY } })
})

test.each<[string, Partial<MintRequest>, object]>([
  ['more activations than were asked for', { activations: 5 }, { activations: 6 }],
  ['another policy than was asked for', { policy: 'audit' }, { policy: 'review' }],
])('%s are nonsense', async (_, request, changes) => {
  const { given } = await minting((_request, response, url) => json(response, 201, minted(url, changes)), { request })
  expect(given.kind).toBe('nonsense')
})

test.each<[string, Answerer]>([
  ['a redirect', (_, response, url) => response.writeHead(307, { location: `${url}/elsewhere` }).end()],
  ['a permanent redirect', (_, response) => response.writeHead(308, { location: 'https://evil.example/' }).end()],
  ['another status of success', (_, response, url) => json(response, 200, minted(url))],
  ['a body that is not JSON', (_, response) => response.writeHead(201).end('::error::x')],
  ['a body that is not UTF-8', (_, response) => response.writeHead(201).end(Buffer.from([0x22, 0xff, 0x22]))],
  ['an empty body', (_, response) => response.writeHead(201).end()],
  ['a body over 64 KiB', (_, response, url) => json(response, 201, minted(url, { more: 'x'.repeat(65_536) }))],
  ['a body that does not end', (_, response) => void flood(response)],
  ['a compressed body', (_, response) => response.writeHead(201, { 'content-encoding': 'gzip' }).end('\u001f\u008b')],
  ['no HTTP at all', (request) => request.socket.end('::set-env name=PATH::x\r\n\r\n')],
  ['headers without end', (request) => void endlessHeaders(request.socket)],
  ['deep nesting', (_, response) => response.writeHead(201).end('['.repeat(60_000))],
])('%s is nonsense, and is not asked for again', async (_, answer) => {
  const { given, broker } = await minting(answer)
  expect(given.kind).toBe('nonsense')
  expect(broker.asked).toEqual(['POST /v1/keys'])
})

async function flood(response: import('node:http').ServerResponse) {
  response.writeHead(201, { 'content-type': 'application/json' })
  while (!response.destroyed && response.write('x'.repeat(16_384))) await sleep(1)
  response.once('drain', () => response.destroy())
}

async function endlessHeaders(socket: import('node:net').Socket) {
  socket.on('error', () => {})
  socket.write('HTTP/1.1 201 Created\r\n')
  for (let i = 0; i < 2000 && !socket.destroyed; i++) socket.write(`x-${i}: ${'y'.repeat(100)}\r\n`)
}

test.each<[string, Answerer]>([
  ['an answer that never comes', () => {}],
  ['a head without a body', (_, response) => void response.writeHead(201).flushHeaders()],
  ['an answer that drips', (_, response) => void drip(response)],
])('%s is lost when its time is over', async (_, answer) => {
  const { given } = await minting(answer, { milliseconds: 150 })
  expect(given).toEqual({ kind: 'unreachable', why: expect.stringMatching(/^no answer within 0\.1\d* s$/) })
})

async function drip(response: import('node:http').ServerResponse) {
  response.writeHead(201, { 'content-type': 'application/json' })
  while (!response.destroyed && response.write(' ')) await sleep(10)
}

test('an answer that breaks off is lost, and asked for once more with a fresh ID token', async () => {
  let asked = 0
  const { given, broker } = await minting((_, response, url) => {
    if (asked++ > 0) return json(response, 201, minted(url))
    response.writeHead(201, { 'content-length': '500' }).write('{"id":')
    setTimeout(() => response.destroy(), 20)
  })
  expect(given.kind).toBe('ok')
  expect(broker.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer token.1', 'Bearer token.2'])
})

test.each([400, 401, 403, 404, 409, 413])('%i is not asked for again', async (status) => {
  const { given, broker } = await minting((_, response) => response.writeHead(status).end())
  expect(given).toEqual({ kind: 'refused', status, problem: null, retryAfter: null })
  expect(broker.asked).toHaveLength(1)
})

test('a time to come again that is past the deadline is not waited for', async () => {
  const { given, broker } = await minting((_, response) => response.writeHead(429, { 'retry-after': '60' }).end())
  expect(given).toMatchObject({ kind: 'refused', status: 429, retryAfter: 60 })
  expect(broker.asked).toHaveLength(1)
})

const refusedAs =
  (status: number): Answerer =>
  (_, response) =>
    json(response, status, problemOf('storage_unavailable', status, 'No'))
const lost: Answerer = (request) => request.socket.destroy()
/** One answer after the other. */
const inTurn = (...answers: Answerer[]): Answerer => {
  let asked = 0
  return (...call) => answers[asked++]!(...call)
}

test.each<[string, (url: string) => object]>([
  [
    'is for a URL of another origin',
    (url) => minted(url, { providers: { openai: { base_url: 'https://a.example' } } }),
  ],
  ['lacks a provider', (url) => minted(url, { providers: {} })],
  ['is not of the shape of the contract', (url) => minted(url, { activations: '25' })],
])('of an answer that %s, the key is left over', async (_, body) => {
  const { leftOver } = await minting((_request, response, url) => json(response, 201, body(url)))
  expect(leftOver).toEqual({ id: KEY_ID, key: KEY })
})

test.each<[string, Answerer, string]>([
  ['refused', refusedAs(403), 'nothing'],
  ['refused by a broker that is not well', refusedAs(503), 'nothing'],
  ['refused by a gateway', (_, response) => response.writeHead(403).end(), 'nothing'],
  ["a gateway's own error", (_, response) => response.writeHead(502).end(), 'unknown'],
  ['lost', lost, 'unknown'],
  ['lost, and then refused', inTurn(lost, refusedAs(403)), 'unknown'],
  ['lost, and then an answer', inTurn(lost, (_, response, url) => json(response, 201, minted(url))), 'nothing'],
  ['not JSON', (_, response) => response.writeHead(201).end('x'), 'unknown'],
  ['without a key', (_, response, url) => json(response, 201, minted(url, { key: 'x' })), 'unknown'],
])('after an answer that is %s, what is left over is %s', async (_, answer, expected) => {
  expect((await minting(answer)).leftOver).toBe(expected)
})

test('of a request that never left there is nothing left over', async () => {
  const { answer, leftOver } = await mint({
    broker: 'http://127.0.0.1:9',
    idToken: async () => 'token',
    request: { providers: ['openai'] },
    idempotencyKey: 'sixteen-characters',
    deadline: performance.now() + 3000,
  })
  expect([answer.kind, leftOver]).toEqual(['unreachable', 'nothing'])
})

test('the time that an ID token takes is not given to the broker once more', async () => {
  const broker = await startFakeBroker({ 'POST /v1/keys': () => {} })
  onTestFinished(broker.close)
  const began = performance.now()
  await mint({
    broker: broker.url,
    idToken: () => sleep(600, 'token'),
    request: { providers: ['openai'] },
    idempotencyKey: 'sixteen-characters',
    deadline: began + 800,
  })
  expect(performance.now() - began).toBeLessThan(1100)
})
