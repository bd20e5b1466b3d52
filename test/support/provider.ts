import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { type Answer, type Call, COUNTED, type Counted, endpoints, unauthorized } from './provider-answers.ts'

/** A stand-in for OpenAI, Anthropic, Gemini, Groq, Mistral, Cohere and anyone's API on one loopback origin. It records what arrives. */
export interface Provider {
  readonly url: string
  /** Provider → the credential that it accepts; new ones at each start. `other` is that of every other API. */
  readonly credentials: Readonly<
    Record<'openai' | 'anthropic' | 'gemini' | 'groq' | 'mistral' | 'cohere' | 'other', string>
  >
  /** Every request whose head arrived, oldest first. */
  readonly received: readonly Received[]
  /** What models say from now on, in the pieces in which it is streamed. */
  says(...words: string[]): void
  /** How many tokens each call takes from now on. */
  counts(counted: Counted): void
  /** What happens to the next request, and the next after it; then all is well again. */
  next(...faults: Fault[]): void
  /** Resolves when this many requests have arrived since the start. */
  arrived(count: number): Promise<void>
  /** Forgets what was received and what was to happen. */
  reset(): void
  close(): Promise<void>
}

export interface Received {
  readonly method: string
  /** The request target as it was sent. */
  readonly target: string
  /** Names and values as they were sent. */
  readonly rawHeaders: readonly (readonly [name: string, value: string])[]
  /** Complete when the request is; grows until then. */
  readonly body: string
  /** Whose credential it showed, in the header where that provider wants it; `null`: none that is known. */
  readonly credential: string | null
  /** What was written as its answer: the whole text, or one entry an event. */
  readonly answered: readonly string[]
  /** How it went: `open` until the answer has ended, `cut` when the connection broke before. */
  readonly state: 'open' | 'done' | 'cut'
}

export interface Fault {
  /** Instead of the usual answer; with `body` as it is. */
  readonly status?: number
  readonly body?: string
  /** Added to the answer. */
  readonly headers?: Readonly<Record<string, string | string[]>>
  /** Never answers. */
  readonly hang?: true
  /** Breaks the connection: before the head (`0`), or after this many events. */
  readonly cutAfter?: number
  /** The answer repeats the credential, in a header and in its JSON. */
  readonly echo?: true
  /** The answer is compressed although nobody asked. */
  readonly compressed?: 'gzip'
  /** Waits before each event: milliseconds, or until the promise for that event resolves. */
  readonly gap?: number | ((event: number) => Promise<void>)
}

const DEFAULT_WORDS = ['The ', 'stand-in ', 'provider ', 'answers: ', 'éß', '☃ ', 'fine.']

/** Where each API wants its credential. */
const HEADERS: Readonly<Record<string, { readonly name: string; readonly before: string }>> = {
  openai: { name: 'authorization', before: 'Bearer ' },
  anthropic: { name: 'x-api-key', before: '' },
  gemini: { name: 'x-goog-api-key', before: '' },
  groq: { name: 'authorization', before: 'Bearer ' },
  mistral: { name: 'authorization', before: 'Bearer ' },
  cohere: { name: 'authorization', before: 'Bearer ' },
  other: { name: 'authorization', before: 'Bearer ' },
}

export async function startProvider(): Promise<Provider> {
  const secret = (prefix: string) => prefix + randomBytes(24).toString('hex')
  const credentials = {
    openai: secret('sk-proj-'),
    anthropic: secret('sk-ant-api03-'),
    gemini: secret('AIza'),
    groq: secret('gsk_'),
    mistral: secret('mistral-'),
    cohere: secret('cohere-'),
    other: secret('other-'),
  }
  const received: Mutable<Received>[] = []
  const faults: Fault[] = []
  const waiting = new Set<{ count: number; resolve: () => void }>()
  let words: readonly string[] = DEFAULT_WORDS
  let counted = COUNTED

  const server = createServer({ keepAliveTimeout: 1000 }, async (request, response) => {
    const record: Mutable<Received> = {
      method: request.method!,
      target: request.url!,
      rawHeaders: pairs(request.rawHeaders),
      body: '',
      credential: credentialOf(request, credentials),
      answered: [],
      state: 'open',
    }
    const fault = faults.shift() ?? {}
    const number = received.push(record)
    for (const waiter of waiting) if (number >= waiter.count) waiter.resolve()
    response.on('close', () => {
      record.state = response.writableFinished ? 'done' : 'cut'
    })
    try {
      for await (const chunk of request.setEncoding('utf8')) record.body += chunk
      await answer(record, response, fault, { number, words, counted }, credentials)
    } catch (error) {
      if (!request.destroyed && !response.destroyed) throw error
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials,
    received,
    says: (...pieces) => {
      words = pieces
    },
    counts(tokens) {
      counted = tokens
    },
    next: (...more) => {
      faults.push(...more)
    },
    async arrived(count) {
      if (received.length >= count) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const waiter = { count, resolve }
      waiting.add(waiter)
      await promise
      waiting.delete(waiter)
    },
    reset() {
      received.length = 0
      faults.length = 0
      words = DEFAULT_WORDS
      counted = COUNTED
    },
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly string[] ? string[] : T[K] }

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at]!, raw[2 * at + 1]!])
}

/** Whose credential stands where that provider wants it. */
function credentialOf(request: IncomingMessage, credentials: Provider['credentials']): string | null {
  for (const [provider, credential] of Object.entries(credentials)) {
    const { name, before } = HEADERS[provider]!
    if (request.headers[name] === before + credential) return provider
  }
  return null
}

async function answer(
  record: Received & { answered: string[] },
  response: ServerResponse,
  fault: Fault,
  said: Pick<Call, 'number' | 'words' | 'counted'>,
  credentials: Provider['credentials'],
): Promise<void> {
  if (fault.hang) return
  if (fault.cutAfter === 0) {
    response.destroy()
    return
  }
  const url = new URL(record.target, 'http://provider')
  const candidates = endpoints.filter(({ method, path }) => method === record.method && path.test(url.pathname))
  const endpoint = candidates.find(({ provider }) => provider === record.credential) ?? candidates[0]
  const headers: Record<string, string | string[]> = { 'x-request-id': `req_provider_${said.number}`, ...fault.headers }
  const send = (status: number, text: string, type = 'application/json') => {
    record.answered.push(text)
    const bytes = fault.compressed ? gzipSync(text) : Buffer.from(text)
    if (fault.compressed) headers['content-encoding'] = fault.compressed
    response.writeHead(status, { 'content-type': type, 'content-length': bytes.length, ...headers }).end(bytes)
  }

  if (record.credential === null || (endpoint && endpoint.provider !== record.credential))
    return send(401, JSON.stringify(unauthorized(endpoint?.provider ?? 'other')))
  if (fault.echo) {
    const credential = credentials[record.credential as keyof Provider['credentials']]
    headers['x-echo'] = credential
    return send(fault.status ?? 200, JSON.stringify({ echo: credential, headers: record.rawHeaders }))
  }
  if (fault.status !== undefined || fault.body !== undefined) return send(fault.status ?? 200, fault.body ?? '')

  const call: Call = {
    ...said,
    provider: record.credential,
    method: record.method,
    path: url.pathname,
    query: url.searchParams,
    body: jsonOf(record.body),
  }
  const reply: Answer = endpoint?.answer(call) ?? {
    kind: 'plain',
    json: { method: record.method, target: record.target, body: record.body },
  }
  if (reply.kind === 'plain') return send(200, JSON.stringify(reply.json))

  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', ...headers })
  response.flushHeaders()
  for (const [at, event] of reply.events.entries()) {
    if (typeof fault.gap === 'number') await sleep(fault.gap)
    else await fault.gap?.(at)
    if (response.destroyed) return
    if (at === fault.cutAfter) {
      response.destroy()
      return
    }
    record.answered.push(event)
    response.write(event)
  }
  response.end()
}

function jsonOf(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>
  } catch {
    return {}
  }
}
