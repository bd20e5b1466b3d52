import type { Dispatcher } from 'undici'
import { Pool } from 'undici'
import { HEADER_NAME, HEADER_VALUE } from '#domain/headers.ts'
import type { AnswerReader, Upstream, UpstreamFailure, UpstreamLimits } from '#proxy/upstream.ts'

/** The way to the providers by undici: what our own client is compared with. */
export function undiciUpstream(limits: UpstreamLimits): Upstream {
  const pools = new Map<string, Pool>()
  const poolOf = (origin: string): Pool => {
    let pool = pools.get(origin)
    if (!pool) {
      pool = new Pool(origin, {
        connections: null,
        pipelining: 1,
        allowH2: false,
        keepAliveTimeout: 4000,
        keepAliveMaxTimeout: 4000,
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
    send({ origin, method, path, headers, body }, reader) {
      const call = new Call(reader)
      const isStream = body !== null && !Buffer.isBuffer(body)
      const length = isStream && body.length !== null ? ['content-length', String(body.length)] : []
      poolOf(origin).dispatch(
        {
          path,
          method: method as Dispatcher.HttpMethod,
          headers: [...headers, ...length],
          body: isStream ? body.stream : body,
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

class Call implements Dispatcher.DispatchHandler {
  #reader: AnswerReader | null
  #controller: Dispatcher.DispatchController | null = null

  constructor(reader: AnswerReader) {
    this.#reader = reader
  }

  abort(): void {
    this.#reader = null
    this.#controller?.abort(new Error('aborted'))
  }

  pause(): void {
    this.#controller?.pause()
  }

  resume(): void {
    this.#controller?.resume()
  }

  /** Comes when a connection stands, before the first byte is written. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (!this.#reader) controller.abort(new Error('aborted'))
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return
    const headers = (controller.rawHeaders as Buffer[]).map((part) => part.toString('latin1'))
    for (let i = 0; i < headers.length; i += 2) {
      headers[i] = headers[i]!.toLowerCase()
      // llhttp leaves blanks at the end of a value.
      headers[i + 1] = headers[i + 1]!.replace(/[\t ]+$/, '')
      if (!HEADER_NAME.test(headers[i]!) || !HEADER_VALUE.test(headers[i + 1]!)) throw new Error('a header is none')
    }
    this.#reader?.onHead(status, headers)
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

function failureOf({ code = '', syscall }: NodeJS.ErrnoException, isStarted: boolean): UpstreamFailure {
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return { kind: 'timeout' }
  if (isStarted) return { kind: 'broken' }
  if (syscall === 'getaddrinfo') return { kind: 'unreachable', reason: 'dns' }
  return { kind: 'unreachable', reason: /TLS|SSL|CERT|SIGN|EPROTO/.test(code) ? 'tls' : 'connect' }
}
