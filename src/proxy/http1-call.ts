import type { Socket } from 'node:net'
import { AnswerParser, type AnswerSink } from './answer-parser.ts'
import { type Departure, leaveTogether } from './departures.ts'
import type { AnswerReader, StreamedBody, UpstreamCall, UpstreamFailure, UpstreamRequest } from './upstream.ts'

/** Bytes. A longer body is not copied behind its head: the copy would cost more than a second piece of one write. */
const ONE_PIECE = 65_536

/** A request on its way over one connection, and its answer. */
export class Http1Call implements UpstreamCall, AnswerSink, Departure {
  readonly parser: AnswerParser
  /** Whether a byte may have left: never set back. */
  isSent = false
  isPaused = false
  /** Whether something moved since the last beat, in either direction. */
  hasMoved = false

  readonly #socket: Socket
  readonly #request: UpstreamRequest
  readonly #hostHeader: string
  readonly #broken: () => void
  #reader: AnswerReader | null
  #isHandedOver = false
  /** Bytes of a streamed body so far. */
  #streamed = 0

  /** @param broken called when the connection can carry this no further, once at least */
  constructor(socket: Socket, request: UpstreamRequest, hostHeader: string, reader: AnswerReader, broken: () => void) {
    this.parser = new AnswerParser(request.method, this)
    this.#socket = socket
    this.#request = request
    this.#hostHeader = hostHeader
    this.#reader = reader
    this.#broken = broken
  }

  /** Whether all of the request has been taken by the system. */
  get isWhole(): boolean {
    return this.#isHandedOver && this.#socket.writableLength === 0
  }

  /**
   * Sends the request with others that are ready. The connection stands, and has until then to show that it does not:
   * what has arrived on it before the request leaves was asked for by nobody.
   */
  write(): void {
    leaveTogether(this)
  }

  /** Nothing is sent if the connection was lost, or nobody wants the answer any more. */
  leave(): void {
    if (!this.#reader) return
    this.isSent = true
    const { body } = this.#request
    const head = requestHead(this.#request, this.#hostHeader)
    const framing = framingOf(this.#request)
    this.#isHandedOver = body === null || Buffer.isBuffer(body)
    if (body === null) this.#socket.write(joined(head, framing, EMPTY))
    else if (!Buffer.isBuffer(body)) this.#stream(joined(head, framing, EMPTY), body)
    else if (body.length <= ONE_PIECE) this.#socket.write(joined(head, framing, body))
    else {
      this.#socket.cork()
      this.#socket.write(joined(head, framing, EMPTY))
      this.#socket.write(body)
      this.#socket.uncork()
    }
  }

  #stream(head: Buffer, { stream, length }: StreamedBody): void {
    this.#socket.write(head)
    stream
      .on('data', (chunk: Buffer) => {
        this.hasMoved = true
        this.#streamed += chunk.length
        // The announced length is a promise: one byte more would be the beginning of another request.
        if (length !== null && this.#streamed > length) this.#broken()
        else if (!this.#writeChunk(chunk, length === null)) stream.pause()
      })
      .on('end', () => {
        if (length !== null && this.#streamed !== length) return this.#broken()
        if (length === null) this.#socket.write('0\r\n\r\n', 'latin1')
        this.#isHandedOver = true
      })
      .on('error', () => this.#broken())
      .on('close', () => {
        if (!this.#isHandedOver) this.#broken()
      })
  }

  /** @returns whether the connection takes more */
  #writeChunk(chunk: Buffer, isFramed: boolean): boolean {
    if (!isFramed) return this.#socket.write(chunk)
    // A chunk of no bytes would end the body.
    if (chunk.length === 0) return true
    this.#socket.cork()
    this.#socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    this.#socket.write(chunk)
    const takesMore = this.#socket.write('\r\n', 'latin1')
    this.#socket.uncork()
    return takesMore
  }

  /** The connection takes more again. */
  drained(): void {
    this.hasMoved = true
    this.#streamedBody?.resume()
  }

  abort(): void {
    this.#reader = null
    this.parser.stop()
    this.#broken()
  }

  pause(): void {
    if (!this.#reader) return
    this.isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.#socket.resume()
  }

  onHead(status: number, headers: readonly string[]): void {
    this.#reader?.onHead(status, headers)
  }

  onData(chunk: Buffer): void {
    this.#reader?.onData(chunk)
  }

  /** The answer is complete. */
  end(): void {
    this.#leaveBody()
    this.#reader?.onEnd()
    this.#reader = null
  }

  fail(failure: UpstreamFailure): void {
    const reader = this.#reader
    this.#reader = null
    this.parser.stop()
    this.#leaveBody()
    reader?.onFailure(failure)
  }

  /** What of the body was not sent goes nowhere. */
  #leaveBody(): void {
    if (!this.#isHandedOver) this.#streamedBody?.destroy()
  }

  get #streamedBody() {
    const { body } = this.#request
    return body === null || Buffer.isBuffer(body) ? null : body.stream
  }
}

/** Methods of which a server may expect a body (RFC 9110, section 8.6). */
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/** Whether there is a body, and where it ends; and the end of the head. */
function framingOf({ method, body }: UpstreamRequest): string {
  if (body === null) return WITH_BODY.has(method) ? 'content-length: 0\r\n\r\n' : '\r\n'
  return body.length === null ? 'transfer-encoding: chunked\r\n\r\n' : `content-length: ${body.length}\r\n\r\n`
}

interface KnownHead {
  readonly method: string
  readonly path: string
  readonly hostHeader: string
  readonly bytes: Buffer
}

/** By their headers: requests that are sent again and again share them. */
const heads = new WeakMap<readonly string[], KnownHead>()

/** Everything before what frames the body. */
function requestHead({ method, path, headers }: UpstreamRequest, hostHeader: string): Buffer {
  const known = heads.get(headers)
  if (known?.method === method && known.path === path && known.hostHeader === hostHeader) return known.bytes
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${hostHeader}\r\nconnection: keep-alive\r\n`
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  const bytes = Buffer.from(text, 'latin1')
  heads.set(headers, { method, path, hostHeader, bytes })
  return bytes
}

/** One piece of all three: one write. */
function joined(head: Buffer, framing: string, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(head.length + framing.length + body.length)
  head.copy(bytes)
  bytes.write(framing, head.length, 'latin1')
  body.copy(bytes, head.length + framing.length)
  return bytes
}

const EMPTY = Buffer.alloc(0)
