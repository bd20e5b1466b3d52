import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ClientRequest, ClientResponse } from '#proxy/client.ts'
import { framingFault } from '#proxy/framing.ts'
import { publicListener } from '#proxy/listener.ts'
import { couldBecomePlain, PlainHeadReader } from '#proxy/plain-head.ts'
import { PlainRequest } from '#proxy/plain-request.ts'
import { bytesOf, openRaw } from '#test/support/raw-client.ts'

const read = (reader: PlainHeadReader, text: string) =>
  reader.read(Buffer.from(`${text}\r\n\r\n`, 'latin1'), text.length)

/** The only head of a connection, with its length. */
function plainHead(text: string) {
  const reader = new PlainHeadReader()
  const head = read(reader, text)
  return head && { ...head, length: reader.length }
}

const LINE = 'POST /proxy/api/v1/responses HTTP/1.1'
const head = (...headers: readonly string[]) => [LINE, 'Host: till.example', ...headers].join('\r\n')

describe('a head', () => {
  test('is read as it was sent, with blanks and tabs around values gone', () => {
    expect(plainHead(head('X-A:', 'x-b: \t b c\t ', 'content-length: 12', 'Connection: Keep-Alive'))).toEqual({
      method: 'POST',
      url: '/proxy/api/v1/responses',
      rawHeaders: ['Host', 'till.example', 'X-A', '', 'x-b', 'b c', 'Connection', 'Keep-Alive'],
      length: 12,
      isLast: false,
    })
    expect(plainHead(head('connection: close'))).toMatchObject({ length: 0, isLast: true })
  })

  test.each([
    ['another plane', head().replace('/proxy/', '/v1/')],
    ['another version', head().replace('HTTP/1.1', 'HTTP/1.0')],
    ['another method', head().replace('POST', 'TRACE')],
    ['a method in lower case', head().replace('POST', 'post')],
    ['an absolute target', head().replace('/proxy/', 'http://x/proxy/')],
    ['a blank in the target', head().replace('/v1/', '/v1 /')],
    ['a target beyond ASCII', head().replace('/v1/', '/v\u00e9/')],
    ['no Host', LINE],
    ['two Hosts', head('host: other')],
    ['a list of hosts', head().replace('till.example', 'a, b')],
    ['a body with GET', head('content-length: 2').replace('POST', 'GET')],
    ['more than 100 headers', head(...Array.from({ length: 100 }, (_, n) => `x-${n}: 1`))],
    ['two lengths', head('content-length: 2', 'content-length: 2')],
    ['a length with a sign', head('content-length: +2')],
    ['a length with a zero before it', head('content-length: 02')],
    ['a list of lengths', head('content-length: 2, 2')],
    ['an empty length', head('content-length:')],
    ['chunks', head('Transfer-Encoding: chunked')],
    ['an Expect', head('expect: 100-continue')],
    ['an Upgrade', head('upgrade: h2c')],
    ['a Connection that names headers', head('connection: keep-alive, x-a')],
    ['a folded line', head('x-a: 1', ' 2')],
    ['a blank before the colon', head('x-a : 1')],
    ['a line without a colon', head('x-a')],
    ['a name that is empty', head(': 1')],
    ['a bare carriage return', head('x-a: 1\r2')],
    ['a bare line feed', head('x-a: 1\nx-b: 2')],
    ['a zero byte', head('x-a: \0')],
    ['an empty line before it', `\r\n${head()}`],
  ])("is Node's to read: %s", (_name, text) => {
    expect(plainHead(text)).toBe(null)
  })

  test('is the same for all that differ in the length of the body only', () => {
    const reader = new PlainHeadReader()
    const one = head('x-a: 1', 'Content-Length: \t12 ', 'x-b: 2')
    const first = read(reader, one)
    for (const length of ['0', '7', '12', '123456', '999999999999999']) {
      expect(read(reader, one.replace('12 ', `${length} `))).toBe(first)
      expect(reader.length).toBe(Number(length))
    }
    for (const digits of ['', '01', '-1', '1 2', '1\r\nhost: x', '1\r\ncontent-length: 1', '1, 1', '0x1', '1e3'])
      expect(read(reader, one.replace('12 ', `${digits} `))).toBe(null)
    expect(read(reader, one.replace('12 ', '3 '))).toEqual(first)
    expect(read(reader, one.replace('x-b', 'x-c'))).not.toEqual(first)
    expect(read(reader, head())).toMatchObject({ url: first!.url })
    expect(reader.length).toBe(0)
  })

  test('is forgotten when it is asked to, and not remembered when it is large', () => {
    const reader = new PlainHeadReader()
    const one = head('content-length: 2')
    const first = read(reader, one)
    expect(read(reader, one)).toBe(first)
    reader.forget()
    expect(read(reader, one)).not.toBe(first)
    const large = head(`x-a: ${'a'.repeat(5000)}`, 'content-length: 2')
    expect(read(reader, large)).toEqual(read(reader, large))
    expect(read(reader, large)).not.toBe(read(reader, large))
  })

  test('is framed in the one way there is', () => {
    for (const text of [head(), head('content-length: 2'), head('connection: close', 'x-a: \x80')]) {
      const { length, ...plain } = plainHead(text)!
      const request = { ...plain, httpVersion: '1.1' } as unknown as ClientRequest
      expect([length >= 0, framingFault(request)]).toEqual([true, null])
    }
  })

  test('can become plain as long as a part of it, cut anywhere, belongs to one', () => {
    const whole = head('content-length: 2', 'x-a: b')
    for (let end = 0; end <= whole.length; end++) expect(couldBecomePlain(whole.slice(0, end))).toBe(true)
    for (const text of ['GET / HTTP/1.1\r\n', '\x16\x03\x01', `${LINE}\r\nx`.replace('POST', 'x'), `${LINE}\r\nx\0`])
      expect(couldBecomePlain(text)).toBe(false)
  })
})

describe('a connection', () => {
  let server: Server
  let port: number
  let requests: { readonly isPlain: boolean; readonly url: string; readonly body: string }[]
  let answer: (response: ClientResponse, body: string) => void
  beforeEach(async () => {
    requests = []
    answer = (response, body) => {
      response.writeHead(200, ['content-type', 'application/json'])
      response.end(body, 'latin1')
    }
    const handle = (request: ClientRequest, response: ClientResponse) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk) => chunks.push(chunk))
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString('latin1')
        requests.push({ isPlain: request instanceof PlainRequest, url: request.url!, body })
        answer(response, body)
      })
      request.resume()
    }
    server = publicListener({ handle, upgrade: () => {}, drain: async () => {} }, (_request, response) => {
      response.end('control')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  test('takes a request in two pieces, wherever they part', async () => {
    const bytes = bytesOf('POST /proxy/api/v1/responses', [], '{"model":"m-1"}')
    const connection = await openRaw(port)
    for (let cut = 1; cut < bytes.length; cut++) {
      connection.write(bytes.slice(0, cut))
      await new Promise((resolve) => setImmediate(resolve))
      connection.write(bytes.slice(cut))
      expect((await connection.answer()).body).toBe('{"model":"m-1"}')
    }
    expect(requests.every(({ isPlain }) => isPlain)).toBe(true)
    connection.close()
  })

  test('takes requests that come at once one after the other, and a body that is larger than what it holds', async () => {
    const connection = await openRaw(port)
    const bodies = ['a', 'b'.repeat(300_000), 'c'.repeat(70_000), 'd']
    connection.write(bodies.map((body) => bytesOf('PUT /proxy/api/x', [], body)).join(''))
    for (const body of bodies) expect((await connection.answer()).body).toBe(body)
    connection.close()
  })

  test('takes what comes in one piece with the end of a body, though the body is answered at once', async () => {
    const connection = await openRaw(port)
    const request = bytesOf('PUT /proxy/api/x', [], 'body')
    const chunked = `${bytesOf('POST /proxy/api/2', ['transfer-encoding: chunked'])}1\r\ny\r\n0\r\n\r\n`
    connection.write(request.slice(0, -1))
    await new Promise((resolve) => setTimeout(resolve, 20))
    connection.write(request.slice(-1) + request.repeat(2) + chunked)
    for (const body of ['body', 'body', 'body', 'y']) expect((await connection.answer()).body).toBe(body)
    connection.close()
  })

  test("goes to Node's parser with the first request that is not plain, and the plane answers there too", async () => {
    const connection = await openRaw(port)
    const plain = bytesOf('POST /proxy/api/1', [], 'x')
    const chunked = `${bytesOf('POST /proxy/api/2', ['transfer-encoding: chunked'])}1\r\ny\r\n0\r\n\r\n`
    connection.write(plain + chunked + bytesOf('GET /healthz', []) + plain)
    for (const body of ['x', 'y', 'control', 'x']) expect((await connection.answer()).body).toBe(body)
    expect(requests.map(({ isPlain }) => isPlain)).toEqual([true, false, false])
    connection.close()
  })

  test('is closed after an answer if the client says so, and what came behind is not read', async () => {
    const connection = await openRaw(port)
    connection.write(bytesOf('GET /proxy/api/1', ['connection: close']) + bytesOf('GET /proxy/api/2', []))
    expect((await connection.answer()).headers['connection']).toBe('close')
    await connection.closed
    expect(requests.map(({ url }) => url)).toEqual(['/proxy/api/1'])
  })

  test('frames an answer in chunks when its length is not known, and sends none of a body that may not be', async () => {
    answer = (response) => {
      response.writeHead(200, ['x-a', 'b'])
      response.write(Buffer.from('one'))
      response.write(Buffer.alloc(0))
      response.write(Buffer.alloc(100_000, 'x'))
      response.end('two', 'utf8')
    }
    const connection = await openRaw(port)
    connection.write(bytesOf('GET /proxy/api/1', []))
    const got = await connection.answer()
    expect([got.headers['transfer-encoding'], got.body]).toEqual(['chunked', `one${'x'.repeat(100_000)}two`])
    connection.write(bytesOf('HEAD /proxy/api/1', []) + bytesOf('GET /proxy/api/1', []))
    expect((await connection.answer('HEAD')).headers['content-length']).toBe(undefined)
    expect((await connection.answer()).body).toBe(got.body)
    connection.close()
  })

  test('tells of a client that goes away, in its body and before its answer', async () => {
    const gone: string[] = []
    const away = Promise.withResolvers<void>()
    const handle = (request: ClientRequest, response: ClientResponse) => {
      request.on('close', () => gone.push('body'))
      response.on('close', () => {
        gone.push(response.writableFinished ? 'answered' : 'gone')
        if (gone.length === 3) away.resolve()
      })
      request.resume()
    }
    const other = publicListener({ handle, upgrade: () => {}, drain: async () => {} }, () => {})
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    for (const body of ['', '{']) {
      const connection = await openRaw((other.address() as AddressInfo).port)
      connection.write(bytesOf('POST /proxy/api/1', body === '' ? [] : ['content-length: 5'], body))
      await new Promise((resolve) => setTimeout(resolve, 20))
      connection.close()
    }
    await away.promise
    expect(gone.sort()).toEqual(['body', 'gone', 'gone'])
    other.close()
  })

  test('a server that closes waits for what is being answered, and closes what idles', async () => {
    const waiting = Promise.withResolvers<ClientResponse>()
    answer = (response) => waiting.resolve(response)
    const [busy, idle] = [await openRaw(port), await openRaw(port)]
    busy.write(bytesOf('GET /proxy/api/1', []))
    const response = await waiting.promise
    const closed = once(server, 'close')
    server.close()
    await idle.closed
    response.writeHead(200, ['content-length', '2'])
    response.end('ok', 'latin1')
    expect((await busy.answer()).body).toBe('ok')
    server.closeIdleConnections()
    await closed
  })

  test('what SDKs send is plain', async () => {
    const baseURL = `http://127.0.0.1:${port}/proxy/api`
    const ask = { model: 'm-1', messages: [{ role: 'user' as const, content: 'x' }] }
    const settings = { apiKey: 'k', maxRetries: 0 }
    await new OpenAI({ ...settings, baseURL }).chat.completions.create(ask).catch(() => {})
    await new Anthropic({ ...settings, baseURL }).messages.create({ ...ask, max_tokens: 1 }).catch(() => {})
    await new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: baseURL } }).models
      .generateContent({ model: 'm-1', contents: 'x' })
      .catch(() => {})
    expect(requests.map(({ isPlain }) => isPlain)).toEqual([true, true, true])
  })
})
