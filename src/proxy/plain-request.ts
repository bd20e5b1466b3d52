import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { ClientRequest } from './client.ts'
import type { PlainHead } from './plain-head.ts'

/** Bytes of a body that nobody reads yet, after which the client waits. */
const MOST_UNREAD = 65_536

/** A request whose head was plain. Its body, of the length that the head gives, comes as the connection hands it on. */
export class PlainRequest extends EventEmitter implements ClientRequest {
  readonly method: string
  readonly url: string
  readonly httpVersion = '1.1'
  readonly httpVersionMinor = 1
  readonly rawHeaders: readonly string[]
  readonly socket: Socket
  /** The same for requests of one connection whose heads differ in the length of the body only. */
  readonly head: PlainHead
  /** Bytes of the body. */
  readonly length: number
  readableLength = 0

  /** Bytes of the body that have not arrived. */
  #left: number
  #unread: Buffer[] = NONE
  #isFlowing = false
  #isEndTold = false

  constructor(head: PlainHead, length: number, socket: Socket) {
    super()
    this.head = head
    this.method = head.method
    this.url = head.url
    this.rawHeaders = head.rawHeaders
    this.length = length
    this.socket = socket
    this.#left = length
  }

  get complete(): boolean {
    return this.#left === 0
  }

  /** Takes what belongs to the body. @returns what follows it; the same bytes when the body is complete already */
  take(bytes: Buffer): Buffer {
    if (this.#left === 0 || bytes.length === 0) return bytes
    const part = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left)
    this.#left -= part.length
    if (this.#isFlowing) this.#tell(part)
    else this.#keep(part)
    return bytes.subarray(part.length)
  }

  #tell(part: Buffer): void {
    this.emit('data', part)
    if (this.#left === 0) this.#tellEnd()
  }

  #tellEnd(): void {
    if (this.#isEndTold) return
    this.#isEndTold = true
    this.emit('end')
  }

  #keep(part: Buffer): void {
    if (this.#unread === NONE) this.#unread = [part]
    else this.#unread.push(part)
    this.readableLength += part.length
    if (this.readableLength > MOST_UNREAD) this.socket.pause()
  }

  read(): Buffer | null {
    const unread = this.#unread
    if (unread.length === 0) return null
    this.#unread = NONE
    this.readableLength = 0
    if (this.socket.isPaused()) this.socket.resume()
    return unread.length === 1 ? unread[0]! : Buffer.concat(unread)
  }

  /** Tells `data` of what has arrived and of what arrives, then `end`. */
  resume(): void {
    if (this.#isFlowing) return
    this.#isFlowing = true
    const unread = this.read()
    if (unread) this.#tell(unread)
    else if (this.#left === 0) this.#tellEnd()
    // Whoever was told may want no more for now.
    if (this.#isFlowing) this.socket.resume()
  }

  pause(): void {
    this.#isFlowing = false
    this.socket.pause()
  }

  destroy(): void {
    this.socket.destroy()
  }
}

const NONE: Buffer[] = []
