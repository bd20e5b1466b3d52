import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { StorageUnavailable } from '#broker/ports.ts'
import { bytesOf, openRaw, raw } from '#test/support/raw-client.ts'
import { answerOf } from '#test/support/raw-upstream.ts'
import { CREDENTIAL, type PlaneUnderTest, startPlane } from './plane.ts'

let till: PlaneUnderTest
const start = async (options?: Parameters<typeof startPlane>[0]) => {
  till = await startPlane(options)
  return till
}
afterEach(() => till.close())

const POST = 'POST /proxy/api/v1/responses'
const STREAM = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

/** A client whose request has reached the provider, and the provider's socket. */
async function opened(headers: string[] = [], part?: Parameters<PlaneUnderTest['mint']>[0]) {
  const minted = await till.mint(part)
  const number = till.upstream.requests.length + 1
  const held = Promise.withResolvers<Socket>()
  till.upstream.answers((_request, socket) => held.resolve(socket))
  const client = await openRaw(till.port)
  client.write(bytesOf(POST, [minted.auth, ...headers], '{}'))
  const request = await till.upstream.request(number)
  return { client, minted, request, provider: await held.promise }
}

test('an event reaches the client before the provider sends the next one, the head before the first', async () => {
  await start()
  const { client, provider } = await opened()
  provider.write(STREAM)
  await client.until('\r\n\r\n')
  for (let n = 1; n <= 5; n++) {
    const event = `data: {"n":${n}}\n\n`
    provider.write(chunk(event))
    await client.until(event)
  }
  provider.write('0\r\n\r\n')
  expect((await client.answer()).body).toBe([1, 2, 3, 4, 5].map((n) => `data: {"n":${n}}\n\n`).join(''))
})

test('T20: the credential is struck out of a stream wherever the provider splits it', async () => {
  await start()
  const text = `data: ${CREDENTIAL} end`
  for (let at = 1; at < text.length; at += 5) {
    const { client, provider } = await opened()
    provider.write(STREAM + chunk(text.slice(0, at)))
    await client.until('\r\n\r\n')
    provider.write(`${chunk(text.slice(at))}0\r\n\r\n`)
    expect((await client.answer()).body).toBe(`data: ${'*'.repeat(CREDENTIAL.length)} end`)
    client.close()
  }
})

test('T20: the credential is struck out of a whole answer, whose length stays right', async () => {
  await start()
  const { client, provider } = await opened()
  provider.write(answerOf(400, ['content-type: application/json'], `{"error":"key ${CREDENTIAL} is bad"}`))
  const answer = await client.answer()
  expect(answer.body).toBe(`{"error":"key ${'*'.repeat(CREDENTIAL.length)} is bad"}`)
  expect(answer.headers['content-length']).toBe(String(answer.body.length))
})

test('T20: what comes together with a fault is redacted, and then the answer is cut', async () => {
  await start()
  const { client, provider, minted } = await opened()
  provider.end(`${STREAM + chunk(`data: ${CREDENTIAL}\n\n`)}ffff\r\n${CREDENTIAL.slice(0, 20)}`)
  await client.closed
  expect(client.received).not.toContain(CREDENTIAL.slice(0, 12))
  expect(client.received).not.toMatch(/0\r\n\r\n$/)
  expect((await minted.events('request.finished')).at(-1)).toMatchObject({ outcome: 'provider_failed', status: 200 })
})

test('T30: when the client goes away the provider is told at once; the activation stays spent', async () => {
  await start()
  const { client, provider, request, minted } = await opened()
  provider.write(STREAM + chunk('data: 1\n\n'))
  await client.until('data: 1')
  client.close()
  await request.closed
  expect(await minted.used()).toBe(1)
  expect((await minted.events('request.finished')).at(-1)).toMatchObject({ outcome: 'client_gone', status: 200 })
})

test('when the client goes away before the answer begins, there is no status on record', async () => {
  await start()
  const { client, request, minted } = await opened()
  client.close()
  await request.closed
  expect((await minted.events('request.finished')).at(-1)).toMatchObject({ outcome: 'client_gone', status: null })
})

test('T56: a client that reads nothing stops the provider, and frees it when it goes', async () => {
  await start()
  const { client, provider, request } = await opened()
  client.socket.pause()
  provider.write(STREAM)
  const piece = chunk('x'.repeat(65_536))
  let written = 0
  while (provider.write(piece)) written += piece.length
  while (provider.writableLength > 0 && written < 64 * 1_048_576) {
    const drained = await Promise.race([
      once(provider, 'drain').then(() => true),
      new Promise<false>((resolve) => setTimeout(resolve, 300, false)),
    ])
    if (!drained) break
    while (provider.write(piece)) written += piece.length
  }
  expect(written).toBeLessThan(32 * 1_048_576)
  client.close()
  await request.closed
})

test('T56: a client that takes nothing for the idle time is cut', async () => {
  await start({ limits: { streamIdle: 300 } })
  const { client, provider, request, minted } = await opened()
  client.socket.pause()
  provider.write(STREAM)
  const feed = () => {
    while (!provider.destroyed && provider.write(chunk('x'.repeat(65_536))));
  }
  provider.on('drain', feed)
  feed()
  await request.closed
  expect((await minted.events('request.finished')).at(-1)).toMatchObject({ outcome: 'client_gone' })
})

test('a large body passes both ways, byte for byte', async () => {
  await start()
  const { auth } = await till.mint()
  const body = randomBytes(3 * 1_048_576).toString('latin1')
  till.upstream.answers((request, socket) => void socket.write(Buffer.from(answerOf(200, [], request.body), 'latin1')))
  for (const framing of ['announced', 'chunked']) {
    const client = await openRaw(till.port)
    if (framing === 'announced') {
      client.write(bytesOf('PUT /proxy/api/v1/files/a/b', [auth, `content-length: ${body.length}`]))
      client.write(Buffer.from(body, 'latin1'))
    } else {
      client.write(bytesOf('PUT /proxy/api/v1/files/a/b', [auth, 'transfer-encoding: chunked']))
      client.write(`${body.length.toString(16)}\r\n`)
      client.write(Buffer.from(`${body}\r\n0\r\n\r\n`, 'latin1'))
    }
    // `answerOf` counts bytes of Latin-1, which is what both sides speak here.
    const answer = await client.answer()
    expect(answer.body === body).toBe(true)
    expect(till.upstream.requests.at(-1)!.header('content-length') === undefined).toBe(framing === 'chunked')
    client.close()
  }
})

test('a body streams to the provider while it arrives', async () => {
  await start()
  const { auth } = await till.mint()
  let seen = ''
  const told = new Set<() => void>()
  const server = createServer((socket) => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      seen += text
      for (const tell of told) tell()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  till.providers.set('api', {
    ...till.providers.get('api')!,
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  })
  const client = await openRaw(till.port)
  client.write(bytesOf('PUT /proxy/api/v1/files/a', [auth, 'content-length: 10']))
  for (const piece of ['abc', 'defg', 'hij']) {
    client.write(piece)
    while (!seen.includes(piece)) await new Promise<void>((resolve) => told.add(resolve))
  }
  client.close()
  await once(server.close(), 'close')
})

test('T28: an activation is given back when the provider is not reached, and the next one is there', async () => {
  await start()
  const { auth, used, events } = await till.mint({ limit: 1 })
  const api = till.providers.get('api')!
  const plain = createServer((socket) => void socket.once('data', () => socket.end('no TLS here'))).listen(
    0,
    '127.0.0.1',
  )
  await once(plain, 'listening')
  for (const [origin, reason] of [
    ['http://127.0.0.1:1', 'connect'],
    ['http://no-such-host.invalid', 'dns'],
    [`https://127.0.0.1:${(plain.address() as AddressInfo).port}`, 'tls'],
  ] as const) {
    till.providers.set('api', { ...api, origin })
    const before = (await events()).length
    const answer = await raw(till.port, bytesOf(POST, [auth], '{}'))
    expect([reason, answer.status, answer.headers['till-error']]).toEqual([reason, 502, 'provider_unreachable'])
    expect(answer.headers).toMatchObject({ 'till-activations-used': '0', 'till-activations-remaining': '1' })
    expect(answer.headers).not.toHaveProperty('x-should-retry')
    expect(await used()).toBe(0)
    expect((await events()).slice(before)).toMatchObject([
      { type: 'activation' },
      { type: 'activation.given_back', reason },
    ])
  }
  plain.close()
  till.providers.set('api', api)
  till.upstream.answers((_request, socket) => void socket.write(answerOf(200, [], 'reached')))
  expect((await raw(till.port, bytesOf(POST, [auth], '{}'))).body).toBe('reached')
})

test.each([
  ['while it waits', false],
  ['after it has gone', true],
])(
  'an activation whose return is not certain stays spent, and has its end: the client is told %s',
  async (_, leaves) => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const giveBack = async () => {
      asked.resolve()
      await answer.promise
      throw new StorageUnavailable('the disk is full')
    }
    await start({ faults: { giveBack } })
    till.reload([{ ...till.providers.get('api')!, origin: 'http://127.0.0.1:1' }])
    const { auth, grant, used, events } = await till.mint({ limit: 1 })
    const client = await openRaw(till.port)
    client.write(bytesOf(POST, [auth], '{}'))
    await asked.promise
    if (leaves) {
      client.close()
      await sleep(100)
    }
    answer.resolve()
    if (!leaves) expect((await client.answer()).headers['till-error']).toBe('storage_unavailable')
    const finished = (await events('request.finished')).at(-1)
    expect(finished).toMatchObject({ outcome: leaves ? 'client_gone' : 'cut', status: leaves ? null : 503 })
    expect(await used()).toBe(1)
    await till.ledger.end(grant, 'revoked_by_job', till.now)
    expect((await events('key.ended')).at(-1)).toMatchObject({ reason: 'exhausted' })
    client.close()
  },
)

test.each([
  ['closes without an answer', (socket: Socket) => void socket.destroy()],
  ['answers nonsense', (socket: Socket) => void socket.end('nonsense\r\n\r\n')],
  ['breaks off in the head', (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-')],
  [
    'breaks off before the first byte of the body',
    (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'),
  ],
  [
    'switches protocols',
    (socket: Socket) => void socket.write('HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
  ],
  [
    'has two lengths',
    (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc'),
  ],
  [
    'answers a compressed framing',
    (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'),
  ],
])('T23, T28: a provider that %s is asked once, and the activation stays spent', async (_name, answer) => {
  await start()
  const { auth, used } = await till.mint()
  till.upstream.answers((_request, socket) => answer(socket))
  const got = await raw(till.port, bytesOf(POST, [auth], '{}'))
  expect([got.status, got.headers['till-error']]).toEqual([502, 'provider_failed'])
  expect(await used()).toBe(1)
  expect(till.upstream.requests.length).toBe(1)
})

test('a provider that does not answer in time is provider_timeout, charged', async () => {
  await start({ limits: { firstByte: 200 } })
  const { client, minted, request } = await opened()
  const answer = await client.answer()
  expect([answer.status, answer.headers['till-error']]).toEqual([504, 'provider_timeout'])
  await request.closed
  expect(await minted.used()).toBe(1)
  expect((await minted.events('request.finished')).at(-1)).toMatchObject({ outcome: 'provider_timeout', status: 504 })
})

test('a stream that stands still for too long is cut', async () => {
  await start({ limits: { streamIdle: 200 } })
  const { client, provider, minted } = await opened()
  provider.write(STREAM + chunk('data: 1\n\n'))
  await client.closed
  expect(client.received).toContain('data: 1')
  expect((await minted.events('request.finished')).at(-1)).toMatchObject({ outcome: 'provider_timeout' })
})

test('T30: the end of a key cuts its open streams, and answers what has not begun with 410', async () => {
  await start()
  const streaming = await opened()
  streaming.provider.write(STREAM + chunk('data: 1\n\n'))
  await streaming.client.until('data: 1')
  const waiting = await opened()
  const other = await opened()
  await till.ledger.end(streaming.minted.grant, 'revoked_by_job', till.now)
  await till.ledger.end(waiting.minted.grant, 'job_completed', till.now)
  await streaming.client.closed
  await streaming.request.closed
  await waiting.request.closed
  const answer = await waiting.client.answer()
  expect([answer.status, answer.headers['till-error']]).toEqual([410, 'key_revoked'])
  expect((await streaming.minted.events('request.finished')).at(-1)).toMatchObject({ outcome: 'cut', status: 200 })
  expect((await waiting.minted.events('request.finished')).at(-1)).toMatchObject({ outcome: 'cut', status: 410 })
  other.provider.write(answerOf(200, [], 'untouched'))
  expect((await other.client.answer()).body).toBe('untouched')
})

test('T30: no stream outlives its key while the ledger tells nothing: what is open then is cut, or answered with 410', async () => {
  await start({ faults: { onEnding: () => {}, touch: () => Promise.reject(new Error('out of reach')) } })
  const ends = { expiresAt: till.now + 60 }
  const streaming = await opened([], ends)
  streaming.provider.write(STREAM + chunk('data: 1\n\n'))
  await streaming.client.until('data: 1')
  const waiting = await opened([], ends)
  const other = await opened()
  till.now += 60
  await streaming.client.closed
  await streaming.request.closed
  await waiting.request.closed
  const answer = await waiting.client.answer()
  expect([answer.status, answer.headers['till-error']]).toEqual([410, 'key_expired'])
  other.provider.write(answerOf(200, [], 'untouched'))
  expect((await other.client.answer()).body).toBe('untouched')
})

test('a long stream does not look idle', async () => {
  await start()
  const { client, provider, minted } = await opened([], { idleAfterSeconds: 2 })
  provider.write(STREAM)
  await client.until('\r\n\r\n')
  for (let n = 0; n < 4; n++) {
    till.now += 1
    for (;;) {
      const { activeAt } = await till.ledger.state(minted.grant, till.now)
      if (activeAt >= till.now) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  expect((await till.ledger.state(minted.grant, till.now)).ended).toBeNull()
  client.close()
})

test('drain refuses what comes, lets what is open finish, and resolves then', async () => {
  await start()
  const { client, provider, minted } = await opened()
  provider.write(STREAM)
  await client.until('\r\n\r\n')
  let isDrained = false
  const drained = till.plane.drain(60_000).then(() => {
    isDrained = true
  })
  const refused = await raw(till.port, bytesOf(POST, [minted.auth], '{}'))
  expect(refused.status).toBe(503)
  expect(isDrained).toBe(false)
  provider.write(`${chunk('data: last\n\n')}0\r\n\r\n`)
  expect((await client.answer()).body).toBe('data: last\n\n')
  await drained
})

test('drain cuts what is still open when its time is over', async () => {
  await start()
  const { client, provider } = await opened()
  provider.write(STREAM)
  await client.until('\r\n\r\n')
  await till.plane.drain(50)
  await client.closed
})

test('an answer that ends with its connection reaches a client of HTTP/1.1 in chunks, and one of 1.0 as it is', async () => {
  await start()
  const { auth } = await till.mint()
  till.upstream.answers(
    (_request, socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nto the end'),
  )
  const modern = await raw(till.port, bytesOf(POST, [auth], '{}'))
  expect([modern.body, modern.headers['transfer-encoding']]).toEqual(['to the end', 'chunked'])
  const old = await raw(till.port, bytesOf(POST, [auth], '{}').replace('HTTP/1.1', 'HTTP/1.0'))
  expect([old.body, old.headers['transfer-encoding']]).toEqual(['to the end', undefined])
})

test.each([
  ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n', 200],
  ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
  ['GET', 'HTTP/1.1 304 Not Modified\r\netag: "x"\r\n\r\n', 304],
  ['DELETE', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 200],
])('an answer without a body passes: %s, %j', async (method, bytes, status) => {
  await start()
  const { auth } = await till.mint()
  till.upstream.answers((_request, socket) => void socket.write(bytes))
  const answer = await raw(till.port, bytesOf(`${method} /proxy/api/v1/items/1`, [auth]))
  expect([answer.status, answer.body]).toEqual([status, ''])
  if (method === 'HEAD') expect(answer.headers['content-length']).toBe('1234')
})

test('interim answers of the provider are passed over', async () => {
  await start()
  const { client, provider } = await opened()
  provider.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n')
  provider.write(answerOf(200, [], 'final'))
  expect((await client.answer()).body).toBe('final')
})

/** A client that reads nothing of many whole answers: more than fits between it and the broker. */
async function unread(headers: readonly string[], part?: Parameters<PlaneUnderTest['mint']>[0]) {
  const minted = await till.mint({ limit: 500, concurrentRequests: 500, ...part })
  till.upstream.answers((_request, socket) => void socket.write(answerOf(200, [], 'x'.repeat(60_000))))
  const client = await openRaw(till.port)
  client.socket.pause()
  client.write(bytesOf(POST, [minted.auth, ...headers], '{}').repeat(200))
  for (let before = -1; before !== till.upstream.requests.length; ) {
    before = till.upstream.requests.length
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  return { client, minted }
}

describe.each([
  ['plain requests', []],
  ["requests that Node's parser reads", ['connection: keep-alive, x-a']],
])('%s', (_name, headers) => {
  test('T56: a client that never reads answers that are whole is cut after the idle time', async () => {
    await start({ limits: { streamIdle: 300 } })
    const { minted } = await unread(headers)
    await expect
      .poll(async () => (await minted.events()).filter(({ type }) => type === 'request.finished').length, {
        timeout: 5000,
      })
      .toBe(await minted.used())
  })

  test('T30: a client that never reads does not keep its key in use, nor the broker from stopping', async () => {
    await start()
    const { minted } = await unread(headers, { expiresAt: till.now + 60 })
    await till.ledger.end(minted.grant, 'revoked_by_job', till.now)
    await till.plane.drain(60_000)

    await unread(headers)
    await till.plane.drain(100)
  })
})
