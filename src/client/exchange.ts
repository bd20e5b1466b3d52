import type { IncomingMessage } from 'node:http'
import { problem } from '#wire/problem.ts'
import { type Shape, ShapeError } from '#wire/shape.ts'
import type { Answer, Nonsense, Refused, Unreachable } from './answer.ts'
import { ProxyUnusable } from './proxy.ts'
import { transport } from './transport.ts'

/** 64 KiB: more than any answer of the control plane but a receipt. */
export const MAX_ANSWER_BYTES = 65_536

export interface Question<T> {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The status of success. Any other is a refusal or nonsense. */
  readonly status: number
  readonly shape: Shape<T>
  /** Bytes. Default {@link MAX_ANSWER_BYTES}. */
  readonly limit?: number
  /** From the first byte sent to the last received, however slowly they come. */
  readonly timeoutMilliseconds: number
}

/** Asks once. Follows no redirect, repeats nothing, and reads no more than the limit. */
export async function exchange<T>(question: Question<T>): Promise<Answer<T>> {
  const answer = await send(question)
  if (answer.kind !== 'answered') return answer
  const { status, body } = answer
  if (status >= 400) return refused(answer)
  if (status >= 300) return nonsense(`status ${status}, a redirect, and redirects are not followed`)
  if (status !== question.status) return nonsense(`status ${status} where ${question.status} was expected`)
  const json = parse(body)
  if (json === undefined) return nonsense('not JSON')
  try {
    return { kind: 'ok', value: question.shape(json, '') }
  } catch (error) {
    if (error instanceof ShapeError) return nonsense(error.message)
    throw error
  }
}

export function nonsense(why: string): Nonsense {
  return { kind: 'nonsense', why }
}

interface Answered {
  readonly kind: 'answered'
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: Buffer
}

function send(question: Question<unknown>): Promise<Answered | Unreachable | Nonsense> {
  const { promise, resolve } = Promise.withResolvers<Answered | Unreachable | Nonsense>()
  const url = new URL(question.url)
  let connections: ReturnType<typeof transport>
  try {
    connections = transport(url)
  } catch (error) {
    // Nothing else is said of it: Node repeats the proxy's URL in its errors, with the password.
    return Promise.resolve({ kind: 'unreachable', why: error instanceof ProxyUnusable ? error.message : 'no proxy' })
  }
  const { request, agent } = connections
  const sent = request(url, {
    method: question.method,
    agent,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'till-client',
      ...(question.body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(question.body) }),
      ...question.headers,
    },
    // Said here, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in a job's environment does not send ID tokens to anyone.
    rejectUnauthorized: true,
  } as Parameters<typeof request>[1] & { rejectUnauthorized: boolean })

  let unsent = true
  const settle = (outcome: Answered | Unreachable | Nonsense) => {
    clearTimeout(timer)
    if (outcome.kind !== 'answered') sent.destroy()
    resolve(outcome.kind === 'unreachable' && unsent ? { ...outcome, unsent } : outcome)
  }
  const timer = setTimeout(
    () => settle({ kind: 'unreachable', why: `no answer within ${question.timeoutMilliseconds / 1000} s` }),
    question.timeoutMilliseconds,
  )
  // The operating system has the last byte: not before there is a connection, and TLS is agreed on.
  sent.once('finish', () => {
    unsent = false
  })
  sent.on('error', (error) => settle(brokenOff(error)))
  sent.once('response', (response: IncomingMessage) => {
    const limit = question.limit ?? MAX_ANSWER_BYTES
    const chunks: Buffer[] = []
    let size = 0
    response.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) settle(nonsense(`more than ${limit} bytes`))
      else chunks.push(chunk)
    })
    response.once('end', () =>
      settle({
        kind: 'answered',
        status: response.statusCode!,
        retryAfter: response.headers['retry-after'],
        body: Buffer.concat(chunks),
      }),
    )
    response.once('error', (error) => settle(brokenOff(error)))
  })
  sent.end(question.body)
  return promise
}

/** Node's parser names broken HTTP `HPE_…`: something answers there, but not a broker. */
function brokenOff(error: Error & { code?: unknown }): Unreachable | Nonsense {
  const code = typeof error.code === 'string' && /^[A-Z0-9_]{1,60}$/.test(error.code) ? error.code : 'broken off'
  return code.startsWith('HPE_') ? nonsense(`not HTTP (${code})`) : { kind: 'unreachable', why: code }
}

function refused(answer: Answered): Refused {
  const wait = answer.retryAfter
  return {
    kind: 'refused',
    status: answer.status,
    problem: readProblem(parse(answer.body)),
    retryAfter: wait !== undefined && /^[0-9]{1,5}$/.test(wait) ? Number(wait) : null,
  }
}

function readProblem(json: unknown): Refused['problem'] {
  try {
    return problem(json, '')
  } catch {
    return null
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
}
