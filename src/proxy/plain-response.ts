import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientResponse } from './client.ts'

/** Bytes. A longer piece is not copied behind what frames it: the copy would cost more than a second part of one write. */
const ONE_PIECE = 16_384

/** The answer to a plain request, framed as RFC 9112 has it: by a length if one is given, else in chunks. */
export class PlainResponse implements ClientResponse {
  readonly socket: Socket
  headersSent = false
  writableFinished = false
  /** Whether the connection ends with it: the client has said so, or the answer does. */
  isLast: boolean

  readonly #isHead: boolean
  readonly #keepAlive: string
  readonly #finished: () => void
  #status = 0
  /** Given and not written, without what frames the answer. */
  #head = ''
  #hasLength = false
  #isChunked = false
  #isEnded = false
  #closeListener: (() => void) | null = null

  /**
   * @param request `keepAlive`: what its head ends with when the connection stays
   * @param finished called when the system has taken all of it
   */
  constructor(
    socket: Socket,
    request: { readonly method: string; readonly isLast: boolean; readonly keepAlive: string },
    finished: () => void,
  ) {
    this.socket = socket
    this.isLast = request.isLast
    this.#isHead = request.method === 'HEAD'
    this.#keepAlive = request.keepAlive
    this.#finished = finished
  }

  /** There is one listener of `close`; what goes wrong with the connection closes it. */
  on(event: 'close' | 'error', listener: () => void): void {
    if (event === 'close') this.#closeListener = listener
  }

  once(event: 'drain', listener: () => void): void {
    this.socket.once(event, listener)
  }

  /** The connection is gone, or all was written. Told once. */
  close(): void {
    const listener = this.#closeListener
    this.#closeListener = null
    listener?.()
  }

  writeContinue(): void {
    throw new Error('A plain request expects nothing')
  }

  writeHead(status: number, headers: string[]): this {
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
    let hasDate = false
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!
      switch (name) {
        case 'connection':
          if (headers[i + 1] === 'close') this.isLast = true
          continue
        case 'content-length':
          this.#hasLength = true
          break
        case 'date':
          hasDate = true
          break
      }
      head += `${name}: ${headers[i + 1]}\r\n`
    }
    this.headersSent = true
    this.#status = status
    this.#head = hasDate ? head : `${head}date: ${httpDate()}\r\n`
    return this
  }

  flushHeaders(): void {
    if (this.#head !== '') this.socket.write(this.#takeHead(), 'latin1')
  }

  write(chunk: Buffer): boolean {
    const before = this.#takeHead()
    if (chunk.length === 0 || !this.#hasBody) return before === '' || this.socket.write(before, 'latin1')
    const framedBefore = this.#isChunked ? `${before}${chunk.length.toString(16)}\r\n` : before
    const after = this.#isChunked ? '\r\n' : ''
    if (framedBefore === '') return this.socket.write(chunk)
    if (chunk.length <= ONE_PIECE) return this.socket.write(framedBefore + chunk.toString('latin1') + after, 'latin1')
    this.socket.cork()
    this.socket.write(framedBefore, 'latin1')
    let takesMore = this.socket.write(chunk)
    if (after !== '') takesMore = this.socket.write(after, 'latin1')
    this.socket.uncork()
    return takesMore
  }

  end(text: string, encoding: 'latin1' | 'utf8'): void {
    if (this.#isEnded) return
    this.#isEnded = true
    // As Latin-1 head and body are one string, and one write.
    const body = encoding === 'latin1' ? text : Buffer.from(text).toString('latin1')
    const head = this.#takeHead(body.length)
    const last = this.#hasBody ? this.#lastPiece(body) : ''
    if (head !== '' || last !== '') this.socket.write(head + last, 'latin1')
    if (this.socket.writableLength === 0) this.#finish()
    // Behind what the system has not taken. When the connection goes away before that, this is never finished.
    else this.socket.write('', 'latin1', (error) => error || this.#finish())
  }

  #lastPiece(body: string): string {
    if (!this.#isChunked) return body
    return body === '' ? '0\r\n\r\n' : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  }

  destroy(): void {
    this.socket.destroy()
  }

  #finish(): void {
    // What the system refuses at once is not left to be written either.
    if (this.socket.destroyed || this.socket.errored) return
    this.writableFinished = true
    this.close()
    this.#finished()
  }

  /** Of an answer to `HEAD`, and of these statuses, only the head is sent (RFC 9110, sections 9.3.2, 15.3.5 and 15.4.5). */
  get #hasBody(): boolean {
    return !this.#isHead && this.#status !== 204 && this.#status !== 304
  }

  /** @param whole bytes of the body, when all of it is at hand */
  #takeHead(whole: number | null = null): string {
    let head = this.#head
    if (head === '') return ''
    this.#head = ''
    if (!this.#hasLength && this.#hasBody) {
      this.#isChunked = whole === null
      head += whole === null ? 'transfer-encoding: chunked\r\n' : `content-length: ${whole}\r\n`
    }
    return head + (this.isLast ? CLOSE : this.#keepAlive)
  }
}

const CLOSE = 'connection: close\r\n\r\n'

let second = 0
let text = ''

/** The time as headers have it, made once a second. */
function httpDate(): string {
  const now = Date.now()
  if (now - second >= 1000 || now < second) {
    second = now - (now % 1000)
    text = new Date(second).toUTCString()
  }
  return text
}
