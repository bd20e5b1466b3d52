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

  /** Sends the request with others that are ready. The connection stands. */
  write(): void {
    leaveTogether(this)
  }

  /** Nothing is sent if the connection was lost, or nobody wants the answer any more. */
  leave(): void {
    if (!this.#reader) return
    this.isSent = true
    const { body } = this.#request
    const head = requestHead(this.#request, this.#hostHeader)
    this.#isHandedOver = body === null || Buffer.isBuffer(body)
    if (body === null) this.#socket.write(head, 'latin1')
    else if (Buffer.isBuffer(body)) this.#writeWhole(head, body)
    else this.#stream(head, body)
  }

  #writeWhole(head: string, body: Buffer): void {
    if (body.length <= ONE_PIECE) {
      const bytes = Buffer.allocUnsafe(head.length + body.length)
      bytes.write(head, 0, 'latin1')
      body.copy(bytes, head.length)
      this.#socket.write(bytes)
      return
    }
    this.#socket.cork()
    this.#socket.write(head, 'latin1')
    this.#socket.write(body)
    this.#socket.uncork()
  }

  #stream(head: string, { stream, length }: StreamedBody): void {
    this.#socket.write(head, 'latin1')
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

function requestHead(request: UpstreamRequest, hostHeader: string): string {
  const { method, body } = request
  const head = headOf(request, hostHeader)
  if (body === null) return WITH_BODY.has(method) ? `${head}content-length: 0\r\n\r\n` : `${head}\r\n`
  return body.length === null
    ? `${head}transfer-encoding: chunked\r\n\r\n`
    : `${head}content-length: ${body.length}\r\n\r\n`
}

/** By their headers: requests that are sent again and again share them. */
const heads = new WeakMap<readonly string[], { readonly begin: string; readonly text: string }>()

/** Everything before what frames the body. */
function headOf({ method, path, headers }: UpstreamRequest, hostHeader: string): string {
  const begin = `${method} ${path} HTTP/1.1\r\nhost: ${hostHeader}\r\n`
  const known = heads.get(headers)
  if (known?.begin === begin) return known.text
  let text = `${begin}connection: keep-alive\r\n`
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  heads.set(headers, { begin, text })
  return text
}
