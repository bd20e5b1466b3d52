import type { Readable } from 'node:stream'
import { type Dispatcher, Pool } from 'undici'

/** One request as it goes out. Its parts have been checked: sending cannot fail before a connection is tried. */
export interface UpstreamRequest {
  /** Scheme, host and port. */
  readonly origin: string
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Name, value, name, value. */
  readonly headers: string[]
  readonly body: Buffer | Readable | null
}

/** How a request failed. Only `unreachable` is certain to have sent not one byte. */
export type UpstreamFailure =
  | { readonly kind: 'unreachable'; readonly reason: 'dns' | 'connect' | 'tls' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'broken' }

/** What is told of an answer, in this order: `onHead`, `onData` any number of times, then `onEnd` or `onFailure`. */
export interface AnswerReader {
  /** @param raw name, value, name, value: the bytes as received */
  onHead(status: number, raw: readonly Buffer[]): void
  onData(chunk: Buffer): void
  onEnd(): void
  onFailure(failure: UpstreamFailure): void
}

/** A request on its way. */
export interface UpstreamCall {
  /** Nothing is told of the answer after this. */
  abort(): void
  pause(): void
  resume(): void
}

/** The way to the providers: one attempt a request, no redirects, no cache, no retry. */
export interface Upstream {
  send(request: UpstreamRequest, reader: AnswerReader): UpstreamCall
  close(): Promise<void>
}

/** Milliseconds. */
export interface UpstreamLimits {
  readonly connect: number
  readonly firstByte: number
  readonly streamIdle: number
}

/** Milliseconds. Short, since a provider may drop an idle connection while a request is on its way into it. */
const KEEP_ALIVE = 4_000

/** HTTP/1.1 over one pool of connections an origin, by undici. */
export function undiciUpstream(limits: UpstreamLimits): Upstream {
  const pools = new Map<string, Pool>()
  const poolOf = (origin: string): Pool => {
    let pool = pools.get(origin)
    if (!pool) {
      pool = new Pool(origin, {
        // A bound would make every stream beyond it wait for another to end.
        connections: null,
        pipelining: 1,
        allowH2: false,
        keepAliveTimeout: KEEP_ALIVE,
        keepAliveMaxTimeout: KEEP_ALIVE,
        headersTimeout: limits.firstByte,
        bodyTimeout: limits.streamIdle,
        maxHeaderSize: 65_536,
        connect: { timeout: limits.connect },
      })
      pools.set(origin, pool)
    }
    return pool
  }
  return {
    send(request, reader) {
      const call = new Call(reader)
      poolOf(request.origin).dispatch(
        {
          path: request.path,
          method: request.method as Dispatcher.HttpMethod,
          headers: request.headers,
          body: request.body,
        },
        call,
      )
      return call
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
    },
  }
}

class Call implements Dispatcher.DispatchHandler, UpstreamCall {
  #reader: AnswerReader | null
  #controller: Dispatcher.DispatchController | null = null
  #isPaused = false

  constructor(reader: AnswerReader) {
    this.#reader = reader
  }

  abort(): void {
    this.#reader = null
    this.#controller?.abort(new Error('aborted'))
  }

  pause(): void {
    this.#isPaused = true
    this.#controller?.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#controller?.resume()
  }

  /** Comes when a connection stands, before the first byte is written. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (!this.#reader) controller.abort(new Error('aborted'))
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return
    this.#reader?.onHead(status, controller.rawHeaders as Buffer[])
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#reader?.onData(chunk)
  }

  onResponseEnd(): void {
    this.#reader?.onEnd()
    this.#reader = null
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const reader = this.#reader
    this.#reader = null
    reader?.onFailure(failureOf(error as NodeJS.ErrnoException, this.#controller !== null))
  }
}

/** @param isStarted whether a connection stood: bytes may have been written since */
function failureOf(error: NodeJS.ErrnoException, isStarted: boolean): UpstreamFailure {
  const code = error.code ?? ''
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return { kind: 'timeout' }
  if (isStarted) return { kind: 'broken' }
  if (error.syscall === 'getaddrinfo' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return { kind: 'unreachable', reason: 'dns' }
  if (TLS_CODE.test(code)) return { kind: 'unreachable', reason: 'tls' }
  // Errors of undici's own that are none of the connection say nothing about what was sent.
  if (code.startsWith('UND_ERR_') && code !== 'UND_ERR_CONNECT_TIMEOUT' && code !== 'UND_ERR_SOCKET')
    return { kind: 'broken' }
  return { kind: 'unreachable', reason: 'connect' }
}

/** Codes of Node's TLS and of OpenSSL's certificate checks. */
const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|HOSTNAME_MISMATCH|ERROR_IN_)/
