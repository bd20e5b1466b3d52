import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { http1Upstream } from '#proxy/http1-upstream.ts'
import type { Upstream, UpstreamCall } from '#proxy/upstream.ts'
import { fuzzUpstream } from '#test/fuzz/upstream.ts'
import { ask } from '#test/support/ask.ts'
import { type ByteServer, startByteServer } from '#test/support/byte-server.ts'
import { undiciUpstream } from '#test/support/undici-upstream.ts'

const LIMITS = { connect: 2000, firstByte: 2000, streamIdle: 2000 }
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'

let server: ByteServer
let upstream: Upstream
beforeEach(async () => {
  server = await startByteServer()
  upstream = http1Upstream(LIMITS)
})
afterEach(async () => {
  await upstream.close()
  await server.close()
})
/** Each answer of the server is these bytes. */
const answers = (bytes: string, isEnded = false) =>
  server.answers((socket) => void (isEnded ? socket.end(bytes, 'latin1') : socket.write(bytes, 'latin1')))
const get = (part: Parameters<typeof ask>[2] = {}, onCall?: (call: UpstreamCall) => void) =>
  ask(upstream, server.origin, part, onCall)

describe('an answer is read', () => {
  test.each([
    ['by its length', OK, 200, 'ok'],
    ['of length 0', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 200, ''],
    ['in chunks', `${CHUNKED}2\r\nok\r\n0\r\n\r\n`, 200, 'ok'],
    ['in chunks with extensions', `${CHUNKED}2;a=b;c="d;\\" e"\r\nok\r\n0;x\r\n\r\n`, 200, 'ok'],
    ['in chunks with trailers, which are dropped', `${CHUNKED}2\r\nok\r\n0\r\nx: y\r\n\r\n`, 200, 'ok'],
    ['after interim answers', `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\na: b\r\n\r\n${OK}`, 200, 'ok'],
    ['without a reason', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok', 200, 'ok'],
    ['204 without a body', 'HTTP/1.1 204 No Content\r\n\r\n', 204, ''],
    ['304 with a length and no body', 'HTTP/1.1 304 X\r\ncontent-length: 9\r\n\r\n', 304, ''],
  ])('%s', async (_name, bytes, status, body) => {
    answers(bytes)
    expect(await get()).toMatchObject({ status, body, failure: null })
  })

  test('to HEAD without a body, whatever it announces', async () => {
    answers('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n')
    expect(await get({ method: 'HEAD' })).toMatchObject({ status: 200, body: '', failure: null })
  })

  test('to the end of the connection, when nothing else ends it', async () => {
    answers('HTTP/1.0 200 OK\r\n\r\nto the end', true)
    expect(await get()).toMatchObject({ status: 200, body: 'to the end', failure: null })
  })

  test('byte by byte', async () => {
    server.answers(async (socket) => {
      for (const byte of `${CHUNKED}a;x=y\r\n0123456789\r\n0\r\nt: u\r\n\r\n`) {
        socket.write(byte)
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    expect(await get()).toMatchObject({ status: 200, body: '0123456789', failure: null })
  })

  test('with its headers in lower case, trimmed, and in order', async () => {
    answers('HTTP/1.1 200 OK\r\nX-A: \t1 \t\r\nx-a:2\r\nSet-Cookie: \xe9\r\ncontent-length: 0\r\n\r\n')
    expect((await get()).headers).toEqual(['x-a', '1', 'x-a', '2', 'set-cookie', '\xe9', 'content-length', '0'])
  })

  test('the chunks of one read as one piece', async () => {
    answers(`${CHUNKED}${'1\r\nx\r\n'.repeat(50)}0\r\n\r\n`)
    const { body, chunks } = await get()
    expect(body).toBe('x'.repeat(50))
    expect(chunks).toBeLessThan(50)
  })
})

/** Each is an answer that two parsers could read in two ways, or that is none. */
const traps: readonly (readonly [name: string, bytes: string])[] = [
  ['nonsense', 'nonsense\r\n\r\n'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n'],
  ['a status beyond 599', 'HTTP/1.1 600 X\r\ncontent-length: 0\r\n\r\n'],
  ['two blanks before the status', 'HTTP/1.1  200 OK\r\ncontent-length: 0\r\n\r\n'],
  ['a NUL in the status line', 'HTTP/1.1 200 O\0K\r\ncontent-length: 0\r\n\r\n'],
  ['101 without an upgrade', 'HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
  ['interim answers without end', 'HTTP/1.1 103 X\r\n\r\n'.repeat(40)],
  ['bare line feeds', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n'],
  ['a bare line feed in a header', 'HTTP/1.1 200 OK\r\na: b\nc: d\r\ncontent-length: 0\r\n\r\n'],
  ['a bare carriage return in a header', 'HTTP/1.1 200 OK\r\na: b\rc: d\r\ncontent-length: 0\r\n\r\n'],
  ['a folded header', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n'],
  ['a header without a colon', 'HTTP/1.1 200 OK\r\nabc\r\ncontent-length: 0\r\n\r\n'],
  ['a header without a name', 'HTTP/1.1 200 OK\r\n: b\r\ncontent-length: 0\r\n\r\n'],
  ['a blank before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n'],
  ['a NUL in a header', 'HTTP/1.1 200 OK\r\na: b\0\r\ncontent-length: 0\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!'],
  ['the same length twice', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok'],
  ['a list of lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok'],
  ['a length with a sign', 'HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok'],
  ['a length in hexadecimal', 'HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok'],
  ['an empty length', 'HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n'],
  ['a length that no number holds', 'HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n'],
  ['a length and chunks', `${CHUNKED.slice(0, -2)}content-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
  ['gzip, chunked', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['xchunked', 'HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n'],
  ['identity', 'HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n'],
  ['chunked twice', `${CHUNKED.slice(0, -2)}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['chunks in HTTP/1.0', CHUNKED.replace('HTTP/1.1', 'HTTP/1.0').concat('0\r\n\r\n')],
  ['a chunk without a size', `${CHUNKED}\r\nok\r\n0\r\n\r\n`],
  ['a chunk size with a sign', `${CHUNKED}+2\r\nok\r\n0\r\n\r\n`],
  ['a chunk size with 0x', `${CHUNKED}0x2\r\nok\r\n0\r\n\r\n`],
  ['a blank before a chunk size', `${CHUNKED} 2\r\nok\r\n0\r\n\r\n`],
  ['a blank behind a chunk size', `${CHUNKED}2 \r\nok\r\n0\r\n\r\n`],
  ['a chunk size that no number holds', `${CHUNKED}fffffffffffffffff\r\nok`],
  ['a line feed alone behind a chunk size', `${CHUNKED}2\nok\r\n0\r\n\r\n`],
  ['a line feed in a chunk extension', `${CHUNKED}2;a\nb\r\nok\r\n0\r\n\r\n`],
  ['an open quote in a chunk extension', `${CHUNKED}2;a="b\r\nok\r\n0\r\n\r\n`],
  ['a chunk extension without end', `${CHUNKED}2;${'a'.repeat(2000)}\r\nok\r\n0\r\n\r\n`],
  ['a chunk longer than its size', `${CHUNKED}2\r\nokay\r\n0\r\n\r\n`],
  ['a chunk ended by a line feed alone', `${CHUNKED}2\r\nok\n0\r\n\r\n`],
  ['a length among the trailers', `${CHUNKED}2\r\nok\r\n0\r\ncontent-length: 3\r\n\r\n`],
  ['a folded trailer', `${CHUNKED}2\r\nok\r\n0\r\na: b\r\n c\r\n\r\n`],
  ['trailers without end', `${CHUNKED}2\r\nok\r\n0\r\n${`a: ${'b'.repeat(1000)}\r\n`.repeat(70)}\r\n`],
  ['a head over 64 KiB', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(65_536)}\r\ncontent-length: 0\r\n\r\n`],
  ['a head over 64 KiB without end', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(70_000)}`],
  ['more than 256 headers', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(257)}content-length: 0\r\n\r\n`],
]

test.each(traps)('T19: %s is broken, and the connection is closed', async (_name, bytes) => {
  answers(bytes)
  const { failure } = await get()
  expect(failure).toEqual({ kind: 'broken' })
  await server.connections[0]!.closed
})

test.each([
  ['before the head', ''],
  ['in the head', 'HTTP/1.1 200 OK\r\ncontent-'],
  ['before the body', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n'],
  ['in the body', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no'],
  ['in a chunk size', `${CHUNKED}2`],
  ['in a chunk', `${CHUNKED}2\r\no`],
  ['before the last chunk', `${CHUNKED}2\r\nok\r\n`],
  ['before the end of the trailers', `${CHUNKED}2\r\nok\r\n0\r\n`],
])('an answer that breaks off %s is broken', async (_name, bytes) => {
  answers(bytes, true)
  expect((await get()).failure).toEqual({ kind: 'broken' })
})

test('the body that came before the break is told before the failure', async () => {
  answers(`${CHUNKED}2\r\nok\r\nx\r\n`)
  expect(await get()).toMatchObject({ status: 200, body: 'ok', failure: { kind: 'broken' } })
})

describe('a connection', () => {
  test('carries the next request when an answer is complete', async () => {
    answers(OK)
    for (let n = 0; n < 3; n++) expect((await get()).body).toBe('ok')
    expect(server.connections.length).toBe(1)
  })

  test.each([
    ['the provider closes it', 'HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 2\r\n\r\nok'],
    ['the answer is of HTTP/1.0', 'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok'],
    ['bytes follow the answer', `${OK}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison`],
    ['bytes follow the last chunk', `${CHUNKED}2\r\nok\r\n0\r\n\r\nx`],
    ['a 204 announces a body', 'HTTP/1.1 204 X\r\ncontent-length: 2\r\n\r\n'],
    ['it is to be kept for a second only', 'HTTP/1.1 200 X\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok'],
  ])('is not used again when %s', async (_name, bytes) => {
    answers(bytes)
    const first = await get()
    expect(first.failure).toBeNull()
    await server.connections[0]!.closed
    expect((await get()).body).toBe(first.body)
    expect(server.connections.length).toBe(2)
  })

  test('T19: an answer that nobody asked for reaches nobody', async () => {
    answers(OK)
    await get()
    server.connections[0]!.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison')
    await server.connections[0]!.closed
    expect((await get()).body).toBe('ok')
  })

  test.each([
    ['an answer', (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison')],
    ['its end', (socket: Socket) => socket.end()],
  ])('T19: %s that is there before the request has left is not taken for one to it', async (_name, happens) => {
    answers(OK)
    await get()
    // From a timer: the event loop looks at what has arrived before it ends this turn.
    await sleep(20)
    happens(server.connections[0]!.socket)
    expect((await get()).failure).toEqual({ kind: 'unreachable', reason: 'connect' })
    expect(server.connections.length).toBe(1)
  })

  test('that was reset while it was idle is not used again', async () => {
    answers(OK)
    await get()
    server.connections[0]!.socket.resetAndDestroy()
    await server.connections[0]!.closed
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect((await get()).body).toBe('ok')
    expect(server.connections.length).toBe(2)
  })

  test('T23: that dies under a request is not replaced: the request is broken, once', async () => {
    answers(OK)
    await get()
    server.answers((socket) => socket.resetAndDestroy())
    expect((await get()).failure).toEqual({ kind: 'broken' })
    expect(server.connections.length).toBe(1)
  })

  test('there are as many as there are requests', async () => {
    const all = Array.from({ length: 200 }, () => get())
    while (server.connections.length < 200) await new Promise((resolve) => setTimeout(resolve, 5))
    server.connections.forEach(({ socket }) => void socket.write(OK))
    expect((await Promise.all(all)).every(({ body }) => body === 'ok')).toBe(true)
  })
})

describe('a request', () => {
  const received = () => server.connections[0]!.received

  test('leaves with its head and a body in memory framed by its length', async () => {
    answers(OK)
    await get({ method: 'POST', path: '/v1/x?y=z', headers: ['a', '1', 'a', '\xe9'], body: Buffer.from('{}') })
    expect(received()).toBe(
      `POST /v1/x?y=z HTTP/1.1\r\nhost: ${server.origin.slice(7)}\r\nconnection: keep-alive\r\na: 1\r\na: \xe9\r\ncontent-length: 2\r\n\r\n{}`,
    )
  })

  test.each([
    ['POST', '\r\ncontent-length: 0\r\n\r\n'],
    ['GET', 'keep-alive\r\n\r\n'],
    ['DELETE', 'keep-alive\r\n\r\n'],
  ])('%s without a body says so in its own way', async (method, end) => {
    answers(OK)
    await get({ method })
    expect(received().endsWith(end)).toBe(true)
  })

  test('with a large body in memory leaves whole', async () => {
    const body = Buffer.alloc(3_000_000, 'x')
    server.answers(async (socket, connection) => {
      while (connection.received.length < body.length) await new Promise((resolve) => setImmediate(resolve))
      socket.write(OK)
    })
    expect((await get({ method: 'PUT', body })).body).toBe('ok')
    expect(received().endsWith(`\r\ncontent-length: 3000000\r\n\r\n${body}`)).toBe(true)
  })

  test.each([
    ['of a known length', 6, '\r\ncontent-length: 6\r\n\r\nabcdef'],
    ['of an unknown length', null, '\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n'],
  ])('with a streamed body %s is framed by it', async (_name, length, end) => {
    server.answers(async (socket, connection) => {
      while (!connection.received.endsWith(end)) await new Promise((resolve) => setImmediate(resolve))
      socket.write(OK)
    })
    const stream = Readable.from([Buffer.from('abc'), Buffer.from('def')])
    expect((await get({ method: 'POST', body: { length, stream } })).failure).toBeNull()
    answers(OK)
    await get()
    expect(server.connections.length).toBe(1)
  })

  test.each([
    ['longer', 3],
    ['shorter', 9],
  ])('whose streamed body is %s than announced breaks, and no byte of it is taken for the next', async (_n, length) => {
    const stream = Readable.from([Buffer.from('abc'), Buffer.from('def')])
    expect((await get({ method: 'POST', body: { length, stream } })).failure).toEqual({ kind: 'broken' })
    await server.connections[0]!.closed
    expect(received().split('\r\n\r\n')[1]!.length).toBeLessThan(Math.max(length, 7))
  })

  test('whose body breaks off is broken, and its connection is closed', async () => {
    const stream = new Readable({ read() {} })
    stream.push('abc')
    server.answers(() => stream.destroy())
    expect((await get({ method: 'POST', body: { length: null, stream } })).failure).toEqual({ kind: 'broken' })
    await server.connections[0]!.closed
  })

  test('that is answered before its body was sent gets its answer, and the rest of the body goes nowhere', async () => {
    answers('HTTP/1.1 413 X\r\ncontent-length: 2\r\n\r\nno')
    const stream = new Readable({ read() {} })
    stream.push('abc')
    const answer = await get({ method: 'POST', body: { length: null, stream } })
    expect(answer).toMatchObject({ status: 413, body: 'no', failure: null })
    expect(stream.destroyed).toBe(true)
    await server.connections[0]!.closed
  })

  test('takes no more of its body than the provider takes', async () => {
    let taken = 0
    const stream = new Readable({
      read() {
        taken += 65_536
        this.push(Buffer.alloc(65_536))
      },
    })
    server.answers((socket) => void socket.pause())
    let call: UpstreamCall | undefined
    void get({ method: 'POST', body: { length: null, stream } }, (given) => {
      call = given
    })
    for (let before = -1; taken !== before || taken === 0; await new Promise((resolve) => setTimeout(resolve, 100)))
      before = taken
    expect(taken).toBeLessThan(32 * 1_048_576)
    call!.abort()
    expect(stream.destroyed).toBe(true)
    server.connections[0]!.socket.resume()
    await server.connections[0]!.closed
  })
})

describe('a call', () => {
  test('that is aborted closes its connection and tells nothing more', async () => {
    answers('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab')
    let told = 0
    const seen = Promise.withResolvers<void>()
    const call = upstream.send(
      { origin: server.origin, method: 'GET', path: '/', headers: [], body: null },
      { onHead: () => {}, onData: () => seen.resolve(), onEnd: () => told++, onFailure: () => told++ },
    )
    await seen.promise
    call.abort()
    await server.connections[0]!.closed
    expect(told).toBe(0)
  })

  test('that is aborted before it is connected sends nothing', async () => {
    void get({}, (call) => call.abort())
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(server.connections.every(({ received }) => received === '')).toBe(true)
  })

  test('that is paused stops the provider, does not count as still, and goes on', async () => {
    upstream = http1Upstream({ ...LIMITS, streamIdle: 100 })
    const size = 64 * 1_048_576
    let written = 0
    server.answers((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`)
      const feed = () => {
        while (written < size) {
          written += 65_536
          if (!socket.write(Buffer.alloc(65_536))) return
        }
      }
      socket.on('drain', feed)
      feed()
    })
    const answer = get({}, (call) => {
      call.pause()
      setTimeout(() => call.pause(), 20)
      setTimeout(() => {
        expect(written).toBeLessThan(size)
        call.resume()
      }, 500)
    })
    expect((await answer).body.length).toBe(size)
  })

  test('whose reader fails is told that it is broken, and the others go on', async () => {
    answers(OK)
    const failed = Promise.withResolvers<unknown>()
    upstream.send(
      { origin: server.origin, method: 'GET', path: '/', headers: [], body: null },
      {
        onHead() {
          throw new Error('a fault')
        },
        onData() {},
        onEnd() {},
        onFailure: (failure) => failed.resolve(failure),
      },
    )
    expect(await failed.promise).toEqual({ kind: 'broken' })
    expect((await get()).body).toBe('ok')
  })
})

describe('time', () => {
  test('without a first byte runs out', async () => {
    upstream = http1Upstream({ ...LIMITS, firstByte: 80 })
    expect((await get()).failure).toEqual({ kind: 'timeout' })
    await server.connections[0]!.closed
  })

  test('in which a stream stands still runs out', async () => {
    upstream = http1Upstream({ ...LIMITS, streamIdle: 80 })
    answers(`${CHUNKED}2\r\nok\r\n`)
    expect(await get()).toMatchObject({ body: 'ok', failure: { kind: 'timeout' } })
  })

  test('an idle connection is closed before four seconds are over', async () => {
    answers(OK)
    await get()
    const since = performance.now()
    await server.connections[0]!.closed
    expect(performance.now() - since).toBeLessThan(4100)
  })
})

describe('T28: not one byte was sent', () => {
  test('when nothing listens', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as AddressInfo
    closed.close()
    await once(closed, 'close')
    const { failure } = await ask(upstream, `http://127.0.0.1:${port}`)
    expect(failure).toEqual({ kind: 'unreachable', reason: 'connect' })
  })

  test('when the name is unknown', async () => {
    const { failure } = await ask(upstream, 'http://no-such-host.invalid')
    expect(failure).toEqual({ kind: 'unreachable', reason: 'dns' })
  })

  test('when it does not connect in time, and says so within the limit', async () => {
    upstream = http1Upstream({ ...LIMITS, connect: 100 })
    // A server that never accepts: its queue is full.
    const { failure } = await ask(upstream, 'https://127.0.0.1:1')
    expect(failure).toEqual({ kind: 'unreachable', reason: 'connect' })
  })

  test('when it closes before TLS stands, with the handshake still on its way, or speaks no TLS', async () => {
    upstream = http1Upstream({ ...LIMITS, connect: 200 })
    for (const how of ['close', 'silent', 'plain'] as const) {
      const plain = createServer((socket) => {
        socket.on('error', () => {})
        if (how === 'close') socket.destroy()
        else socket.once('data', () => how === 'plain' && socket.end('HTTP/1.1 400 Bad\r\n\r\n'))
      }).listen(0, '127.0.0.1')
      await once(plain, 'listening')
      const { failure } = await ask(upstream, `https://127.0.0.1:${(plain.address() as AddressInfo).port}`)
      expect([how, failure]).toEqual([how, { kind: 'unreachable', reason: 'tls' }])
      plain.close()
    }
  })
})

test('whatever bytes a provider sends, however they are split, they are read as undici reads them or refused', async () => {
  const { findings, answered, refused, stricter } = await fuzzUpstream(1, (cases) => cases >= 2000)
  expect(findings).toEqual([])
  expect(answered).toBeGreaterThan(500)
  expect(refused).toBeGreaterThan(500)
  expect(stricter).toBeLessThan(200)
})

test('our client and undici send the same request', async () => {
  answers(OK)
  const theirs = undiciUpstream(LIMITS)
  const part = { method: 'POST', path: '/v1/x?y', headers: ['x-a', '1'], body: Buffer.from('{"a":1}') }
  await get(part)
  await ask(theirs, server.origin, part)
  await theirs.close()
  const lines = server.connections.map(({ received }) => received.split('\r\n').toSorted())
  expect(lines[0]).toEqual(lines[1])
})
