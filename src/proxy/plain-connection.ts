import type { Socket } from 'node:net'
import { couldBecomePlain, MAX_PLAIN_HEAD, PlainHeadReader } from './plain-head.ts'
import { PlainRequest } from './plain-request.ts'
import { PlainResponse } from './plain-response.ts'

/** In beats of the timer that all connections share. */
export interface ClientPatience {
  /** From the first look at a connection, or from the first byte of a head, to its last. */
  readonly head: number
  /** For the whole of a request. */
  readonly request: number
  /** Between an answer and the next request. */
  readonly keepAlive: number
  /** In which a client takes nothing of what was written to it. */
  readonly stall: number
}

/** What becomes of what arrives on a connection. */
export interface ConnectionOwner {
  readonly patience: ClientPatience
  /** What a head ends with when the connection stays: how long the client may wait before the next request. */
  readonly keepAlive: string
  /** Takes a request that was read here. */
  plain(request: PlainRequest, response: PlainResponse): void
  /** Takes the connection for good: what has come on it is not plain. `bytes` were read from it already. */
  other(socket: Socket, bytes: Buffer): void
  /** There is nothing more to be looked after. */
  left(connection: PlainConnection): void
}

/** Bytes that may have come behind a request that is not answered: then the client waits, too. */
const MOST_HELD = 65_536
/** Of a head that is not complete. */
const LOOKED_AT_PIECES = 8
/** Beats without a request after which what was read last is forgotten: thousands of connections may wait. */
const REMEMBERED_BEATS = 2

/**
 * A connection of a client, as long as all that comes on it is plain (`plain-head.ts`): one request at a time, each
 * answered before the next is looked at. The first one that is not plain goes to Node's parser, and with it the
 * connection: what two servers could read in two ways has one reader, and it is not this one.
 */
export class PlainConnection {
  readonly #socket: Socket
  readonly #owner: ConnectionOwner
  readonly #heads = new PlainHeadReader()
  /** Arrived and not looked at. */
  #held: Buffer = EMPTY
  #request: PlainRequest | null = null
  #response: PlainResponse | null = null
  /** In which the head has come that is not complete. */
  #pieces = 0
  #isTaking = false
  /** Beats since the connection, the last answer, the first byte of a head, or the request. */
  #beats = 0
  #isNew = true
  /** Bytes that the system had not taken at the last beat, and for how many it has taken none of them. */
  #unread = 0
  #stillBeats = 0

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket
    this.#owner = owner
    socket.on('data', this.#data).on('end', this.#end).on('close', this.#closed).on('error', this.#failed)
  }

  /** Whether it waits for a request. */
  get isIdle(): boolean {
    return this.#request === null && this.#held.length === 0
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Once a beat: has anything been waited for too long? */
  tick(): void {
    const { head, request, keepAlive, stall } = this.#owner.patience
    // An answer that is written whole, which no exchange waits for, stands in memory until it is read.
    const unread = this.#socket.writableLength
    this.#stillBeats = unread > 0 && unread === this.#unread ? this.#stillBeats + 1 : 0
    this.#unread = unread
    if (this.#stillBeats > stall) this.destroy()
    this.#beats++
    if (this.#request) {
      if (!this.#request.complete && this.#beats > request) this.#timeOut()
    } else if (this.#held.length > 0 || this.#isNew) {
      if (this.#beats > head) this.#timeOut()
    } else if (this.#beats > keepAlive) this.destroy()
    else if (this.#beats === REMEMBERED_BEATS) this.#heads.forget()
  }

  /** As Node's server does it. */
  #timeOut(): void {
    if (!this.#response?.headersSent) this.#socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n')
    this.destroy()
  }

  readonly #data = (bytes: Buffer): void => {
    const request = this.#request
    if (request && !request.complete) {
      // Who reads the body may answer, and have the next request looked for, before what follows the body is held.
      const rest = request.take(bytes)
      if (rest.length > 0) this.#hold(rest)
      if (request.complete) this.#proceed()
    } else {
      if (this.isIdle && !this.#isNew) this.#beats = 0
      this.#hold(bytes)
    }
    if (this.#request === null) this.#next()
    else if (this.#held.length > MOST_HELD) this.#socket.pause()
  }

  #hold(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
  }

  /** Takes requests out of what has arrived, while each is answered at once. */
  #next(): void {
    if (this.#isTaking) return
    this.#isTaking = true
    try {
      while (this.#request === null && this.#held.length > 0 && this.#take());
    } finally {
      this.#isTaking = false
    }
  }

  /** @returns whether a request was taken */
  #take(): boolean {
    const bytes = this.#held
    const end = bytes.indexOf(HEAD_END)
    if (end < 0 && this.#awaitsHead(bytes)) return false
    const head = end < 0 || end > MAX_PLAIN_HEAD ? null : this.#heads.read(bytes, end)
    if (head === null) {
      this.#handOver()
      return false
    }
    this.#pieces = 0
    const request = new PlainRequest(head, this.#heads.length, this.#socket)
    const { method, isLast } = head
    const { keepAlive } = this.#owner
    const response = new PlainResponse(this.#socket, { method, isLast, keepAlive }, this.#answered)
    const rest = request.take(bytes.subarray(end + HEAD_END.length))
    // A part of nothing would keep all that was read in memory.
    this.#held = rest.length === 0 ? EMPTY : rest
    this.#request = request
    this.#response = response
    this.#isNew = false
    this.#beats = 0
    this.#owner.plain(request, response)
    return true
  }

  /** Whether the rest of a head may be waited for here. One that comes in many pieces is not looked at for each. */
  #awaitsHead(bytes: Buffer): boolean {
    if (bytes.length > MAX_PLAIN_HEAD) return false
    return ++this.#pieces > LOOKED_AT_PIECES || couldBecomePlain(bytes.toString('latin1'))
  }

  readonly #answered = (): void => {
    if (this.#response?.isLast) this.#socket.destroySoon()
    else this.#proceed()
  }

  /** To the next request, once this one has arrived and was answered. */
  #proceed(): void {
    if (!this.#request?.complete || !this.#response?.writableFinished || this.#response.isLast) return
    // Its client sends no more and takes no more: what came before its end would be charged for nobody.
    if (this.#socket.writableEnded) return
    this.#request = null
    this.#response = null
    this.#beats = 0
    if (this.#socket.isPaused()) this.#socket.resume()
    this.#next()
  }

  #handOver(): void {
    const socket = this.#socket
    const bytes = this.#held
    this.#held = EMPTY
    socket.off('data', this.#data).off('end', this.#end).off('close', this.#closed).off('error', this.#failed)
    this.#owner.left(this)
    this.#owner.other(socket, bytes)
  }

  /** Who sends no more takes no more, as with Node's server. */
  readonly #end = (): void => {
    this.#socket.end()
  }

  readonly #closed = (): void => {
    this.#owner.left(this)
    if (this.#request && !this.#request.complete) this.#request.emit('close')
    this.#response?.close()
  }

  readonly #failed = (): void => this.destroy()
}

const EMPTY = Buffer.alloc(0)
const HEAD_END = Buffer.from('\r\n\r\n')
