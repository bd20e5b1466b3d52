import { Readable } from 'node:stream'
import { type ClientRequest, header } from './client.ts'
import { PlainRequest } from './plain-request.ts'

/** What went wrong with a body while it was read. */
export type BodyFault = 'too_large' | 'idle' | 'broken'
/** `no_room`: the broker holds as many bytes of bodies as it may. */
export type WholeBodyFault = BodyFault | 'no_room'

/** Milliseconds and bytes. */
export interface BodyLimits {
  readonly most: number
  readonly idle: number
}

/** Who is told what becomes of a body that passes through. */
export interface BodyOwner {
  /** Bytes. */
  took(length: number): void
  failed(fault: BodyFault): void
}

/** Bytes that the head announces: 0 for none, `null` for a chunked body. */
export function announcedLength(request: ClientRequest): number | null {
  if (request instanceof PlainRequest) return request.length
  const length = header(request.rawHeaders, 'content-length')
  if (length !== undefined) return Number(length)
  return header(request.rawHeaders, 'transfer-encoding') === undefined ? 0 : null
}

/** The body, if all of it has arrived already, as it has with most requests; `null` otherwise, and nothing was taken. */
export function arrivedBody(request: ClientRequest, announced: number | null): Buffer | null {
  if (announced === null ? !request.complete : request.readableLength < announced) return null
  return request.read() ?? Buffer.alloc(0)
}

/**
 * Reads the whole body into memory.
 *
 * @param hasRoom asked for each piece
 */
export function wholeBody(
  request: ClientRequest,
  limits: BodyLimits,
  hasRoom: (bytes: number) => boolean,
): Promise<Buffer | WholeBodyFault> {
  const { promise, resolve } = Promise.withResolvers<Buffer | WholeBodyFault>()
  const chunks: Buffer[] = []
  let length = 0
  const finish = (result: Buffer | WholeBodyFault) => {
    clearTimeout(timer)
    request.off('data', take).off('end', end).off('close', broken).off('error', broken)
    if (typeof result === 'string') request.pause()
    resolve(result)
  }
  const take = (chunk: Buffer) => {
    timer.refresh()
    length += chunk.length
    if (length > limits.most) finish('too_large')
    else if (!hasRoom(chunk.length)) finish('no_room')
    else chunks.push(chunk)
  }
  const end = () => finish(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length))
  const broken = () => finish('broken')
  const timer = setTimeout(finish, limits.idle, 'idle')
  request.on('data', take).on('end', end).on('close', broken).on('error', broken)
  request.resume()
  return promise
}

/**
 * The body as a stream of its own, so that whatever becomes of the request upstream leaves the client's connection
 * alone. Takes no more from the client than the provider takes from it.
 */
export class PassingBody extends Readable {
  readonly #request: ClientRequest
  readonly #limits: BodyLimits
  readonly #owner: BodyOwner
  readonly #timer: NodeJS.Timeout
  #length = 0
  #isFull = false

  constructor(request: ClientRequest, limits: BodyLimits, owner: BodyOwner) {
    super({ highWaterMark: 65_536 })
    this.#request = request
    this.#limits = limits
    this.#owner = owner
    this.#timer = setTimeout(this.#idle, limits.idle)
    request.on('data', this.#take).on('end', this.#end).on('close', this.#broken).on('error', this.#broken)
  }

  override _read(): void {
    this.#isFull = false
    this.#timer.refresh()
    this.#request.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#detach()
    done(error)
  }

  readonly #take = (chunk: Buffer): void => {
    this.#length += chunk.length
    if (this.#length > this.#limits.most) {
      this.#fail('too_large')
      return
    }
    this.#owner.took(chunk.length)
    this.#timer.refresh()
    if (this.push(chunk)) return
    this.#isFull = true
    this.#request.pause()
  }

  readonly #end = (): void => {
    this.#detach()
    this.push(null)
  }

  readonly #broken = (): void => this.#fail('broken')

  readonly #idle = (): void => {
    // The client is not to blame for a provider that takes its time.
    if (!this.#isFull) this.#fail('idle')
  }

  readonly #fail = (fault: BodyFault): void => {
    this.#detach()
    this.#owner.failed(fault)
    this.destroy()
  }

  #detach(): void {
    clearTimeout(this.#timer)
    this.#request.off('data', this.#take).off('end', this.#end).off('close', this.#broken).off('error', this.#broken)
  }
}
