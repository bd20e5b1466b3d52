import type { Socket } from 'node:net'

/**
 * A request of a client, as much of it as the plane asks for: Node's `IncomingMessage` is one, and so is what
 * `PlainRequest` makes of the bytes that nearly every client sends.
 */
export interface ClientRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly httpVersion: string
  readonly httpVersionMinor: number
  /** Name, value, name, value, as received; of a `PlainRequest` without `content-length`. */
  readonly rawHeaders: readonly string[]
  readonly socket: Socket
  /** Whether all of the body has arrived. */
  readonly complete: boolean
  /** Bytes that have arrived and were not read. */
  readonly readableLength: number
  /** What has arrived and was not read; `null` when nothing has. */
  read(): Buffer | null
  pause(): unknown
  resume(): unknown
  destroy(): unknown
  on(event: BodyEvent, listener: (chunk: Buffer) => void): this
  once(event: BodyEvent, listener: (chunk: Buffer) => void): this
  off(event: BodyEvent, listener: (chunk: Buffer) => void): this
}

/** `close` without `end` before it: the client went away. */
export type BodyEvent = 'data' | 'end' | 'close' | 'error'

/** The answer to it: Node's `ServerResponse` is one, and `PlainResponse`. */
export interface ClientResponse {
  /** `null` while the answer to an earlier request is being written. */
  readonly socket: Socket | null
  /** Whether a head was given, which cannot be taken back. */
  readonly headersSent: boolean
  /** Whether the system has taken all of it. */
  readonly writableFinished: boolean
  writeContinue(): void
  /** @param headers name, value, name, value: names are tokens, values hold no control characters */
  writeHead(status: number, headers: string[]): unknown
  flushHeaders(): void
  /** @returns whether it takes more; if not it says `drain` when it does */
  write(chunk: Buffer): boolean
  /** @param text all of the body, or the rest of it */
  end(text: string, encoding: 'latin1' | 'utf8'): unknown
  destroy(): unknown
  on(event: 'close' | 'error', listener: () => void): unknown
  once(event: 'drain', listener: () => void): unknown
}

/**
 * The first header of that name.
 *
 * @param raw name, value, name, value, as received
 * @param name in lower case
 */
export function header(raw: readonly string[], name: string): string | undefined {
  for (let i = 0; i < raw.length; i += 2) {
    const written = raw[i]!
    if (written.length === name.length && written.toLowerCase() === name) return raw[i + 1]
  }
  return undefined
}
