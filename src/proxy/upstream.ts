import type { Readable } from 'node:stream'

/** One request as it goes out. Its parts have been checked: sending cannot fail before a connection is tried. */
export interface UpstreamRequest {
  /** Scheme, host and port. */
  readonly origin: string
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Name, value, name, value; without `host`, `connection` and what frames the body. */
  readonly headers: readonly string[]
  readonly body: Buffer | StreamedBody | null
}

/** A body that comes while it is sent. */
export interface StreamedBody {
  /** Bytes; `null` when it goes out in chunks. */
  readonly length: number | null
  readonly stream: Readable
}

/** How a request failed. Only `unreachable` is certain to have sent not one byte. */
export type UpstreamFailure =
  | { readonly kind: 'unreachable'; readonly reason: 'dns' | 'connect' | 'tls' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'broken' }

/** What is told of an answer, in this order: `onHead`, `onData` any number of times, then `onEnd` or `onFailure`. */
export interface AnswerReader {
  /** @param headers name in lower case, value, name, value: names are tokens, values hold no control characters */
  onHead(status: number, headers: readonly string[]): void
  /** @param chunk of the reader's own: nobody else writes into it */
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
