import { HEADER_NAME } from '#domain/headers.ts'
import { type AnswerHeadText, couldBecomeHead, readAnswerHead } from './read-answer-head.ts'

/**
 * Reads one answer of HTTP/1.1 (RFC 9112) from bytes as they come. Takes only what there is one way to read: whatever
 * two parsers could frame differently is `broken`, and the caller closes the connection.
 */

/** What is told of an answer, in this order: the head, then pieces of the body. */
export interface AnswerSink {
  /** @param headers name in lower case, value, name, value: names are tokens, values hold no control characters */
  onHead(status: number, headers: readonly string[]): void
  /** @param chunk of the sink's own: nobody else writes into it */
  onData(chunk: Buffer): void
}

/** `complete`: the answer has ended. `broken`: it cannot be read; nothing more is told of it. */
export type Progress = 'partial' | 'complete' | 'broken'

/** Bytes of a head, interim answers included, and of trailers. */
export const MAX_ANSWER_HEAD = 65_536
/** Bytes of the line before a chunk: its size and extensions. */
const MAX_CHUNK_LINE = 1024
const MAX_INTERIM_ANSWERS = 16

type State = 'head' | 'length' | 'chunk-line' | 'chunk' | 'chunk-end' | 'trailers' | 'until-close' | 'over'

export class AnswerParser {
  /** Whether the connection may carry another request once the answer is complete. */
  isReusable = false
  /** Seconds that the provider says it keeps an idle connection; `null` when it says nothing. */
  keepAlive: number | null = null
  /** Whether a first byte has come. */
  hasBegun = false

  readonly #sink: AnswerSink
  readonly #isHead: boolean
  #state: State = 'head'
  /** The beginning of a head, of a chunk's line or of trailers. */
  #held: Buffer = EMPTY
  /** Bytes of the body, or of the chunk, that are still to come. */
  #left = 0
  #interim = 0
  #headBytes = 0

  /** @param method of the request: an answer to `HEAD` has no body */
  constructor(method: string, sink: AnswerSink) {
    this.#isHead = method === 'HEAD'
    this.#sink = sink
  }

  /** Nothing more is told. */
  stop(): void {
    this.#state = 'over'
  }

  /** @param bytes may be written into by others once this returns */
  push(bytes: Buffer): Progress {
    this.hasBegun = true
    let input = bytes
    while (this.#state === 'head') {
      const rest = this.#takeHead(input)
      if (rest === null) return this.#fail()
      if (rest === 'partial') return 'partial'
      input = rest
    }
    switch (this.#state) {
      case 'over':
        return this.#finish(input.length === 0)
      case 'length':
        return this.#takeLength(input)
      case 'until-close':
        if (input.length > 0) this.#sink.onData(ownCopy(input, input.length))
        return 'partial'
      default:
        return this.#takeChunks(input)
    }
  }

  /** The provider has closed its side. */
  end(): Progress {
    if (this.#state !== 'until-close') return this.#fail()
    this.#state = 'over'
    return 'complete'
  }

  #fail(): Progress {
    this.#state = 'over'
    this.isReusable = false
    return 'broken'
  }

  /** @param isAlone whether nothing follows: what nobody asked for makes the connection useless */
  #finish(isAlone: boolean): Progress {
    this.#state = 'over'
    if (!isAlone) this.isReusable = false
    return 'complete'
  }

  /** @returns what follows the head, `partial` when more must come, `null` when it is no head */
  #takeHead(input: Buffer): Buffer | 'partial' | null {
    const bytes = this.#held.length === 0 ? input : Buffer.concat([this.#held, input])
    const end = bytes.indexOf(HEAD_END)
    if (end < 0) {
      if (this.#headBytes + bytes.length > MAX_ANSWER_HEAD || !couldBecomeHead(bytes)) return null
      this.#held = Buffer.from(bytes)
      return 'partial'
    }
    this.#held = EMPTY
    this.#headBytes += end + 4
    if (this.#headBytes > MAX_ANSWER_HEAD) return null
    const head = readAnswerHead(bytes, end)
    if (head === null) return null
    const rest = bytes.subarray(end + 4)
    if (head.status < 200) {
      // Nobody asked for another protocol. Other interim answers are passed over (RFC 9110, section 15.2).
      return head.status === 101 || ++this.#interim > MAX_INTERIM_ANSWERS ? null : rest
    }
    this.isReusable = head.isKeptAlive
    this.keepAlive = head.keepAlive
    this.#state = this.#bodyState(head)
    this.#left = head.length ?? 0
    this.#sink.onHead(head.status, head.headers)
    return rest
  }

  #bodyState({ status, length, isChunked }: AnswerHeadText): State {
    if (this.#isHead || status === 304) return 'over'
    if (status === 204) {
      if (length || isChunked) this.isReusable = false
      return 'over'
    }
    if (isChunked) return 'chunk-line'
    if (length !== null) return length === 0 ? 'over' : 'length'
    this.isReusable = false
    return 'until-close'
  }

  #takeLength(input: Buffer): Progress {
    if (input.length === 0) return 'partial'
    const length = Math.min(this.#left, input.length)
    this.#left -= length
    const isComplete = this.#left === 0
    if (isComplete) this.#finish(length === input.length)
    this.#sink.onData(ownCopy(input, length))
    return isComplete ? 'complete' : 'partial'
  }

  /** The chunks of one read leave as one piece. */
  #takeChunks(input: Buffer): Progress {
    const body = input.length === 0 ? EMPTY : Buffer.allocUnsafe(input.length)
    let taken = 0
    let at = 0
    let progress: Progress = 'partial'
    while (at < input.length && progress === 'partial') {
      switch (this.#state) {
        case 'chunk': {
          const length = Math.min(this.#left, input.length - at)
          input.copy(body, taken, at, at + length)
          taken += length
          at += length
          this.#left -= length
          if (this.#left === 0) this.#state = 'chunk-end'
          break
        }
        case 'chunk-end':
          // The carriage return, then the line feed: `#left` counts down from 0 to -1.
          if (input[at] !== (this.#left === 0 ? CR : LF)) progress = this.#fail()
          else if (this.#left-- < 0) this.#state = 'chunk-line'
          at++
          break
        default: {
          const next = this.#takeLine(input, at)
          if (next < 0) progress = this.#fail()
          else if (this.#state === 'over') progress = this.#finish(next === input.length)
          at = next
        }
      }
    }
    if (taken > 0) this.#sink.onData(body.subarray(0, taken))
    return progress
  }

  /** A line before a chunk, or of the trailers. @returns where the next one begins; -1 when it cannot be read */
  #takeLine(input: Buffer, at: number): number {
    const lineFeed = input.indexOf(LF, at)
    const end = lineFeed < 0 ? input.length : lineFeed + 1
    const part = input.subarray(at, end)
    const line = this.#held.length === 0 ? part : Buffer.concat([this.#held, part])
    const isTrailer = this.#state === 'trailers'
    if (line.length > (isTrailer ? MAX_ANSWER_HEAD : MAX_CHUNK_LINE)) return -1
    if (lineFeed < 0) {
      this.#held = Buffer.from(line)
      return end
    }
    this.#held = EMPTY
    if (line[line.length - 2] !== CR) return -1
    const text = line.toString('latin1', 0, line.length - 2)
    return (isTrailer ? this.#trailer(text) : this.#chunkLine(text)) ? end : -1
  }

  #chunkLine(text: string): boolean {
    const found = CHUNK_LINE.exec(text)
    if (!found) return false
    this.#left = Number.parseInt(found[1]!, 16)
    this.#state = this.#left === 0 ? 'trailers' : 'chunk'
    return true
  }

  /** Trailers are looked at and dropped. One that speaks of framing says that somebody reads the body differently. */
  #trailer(text: string): boolean {
    if (text === '') {
      this.#state = 'over'
      return true
    }
    this.#headBytes += text.length + 2
    if (this.#headBytes > MAX_ANSWER_HEAD || CONTROLS.test(text)) return false
    const colon = text.indexOf(':')
    const name = text.slice(0, colon < 0 ? 0 : colon).toLowerCase()
    return HEADER_NAME.test(name) && name !== 'content-length' && name !== 'transfer-encoding'
  }
}

/** The first bytes of what others may write into. */
function ownCopy(input: Buffer, length: number): Buffer {
  const own = Buffer.allocUnsafe(length)
  input.copy(own, 0, 0, length)
  return own
}

const EMPTY = Buffer.alloc(0)
const CR = 0x0d
const LF = 0x0a
const HEAD_END = Buffer.from('\r\n\r\n')
/** What stands in no line: control characters but for the tab. */
const CONTROLS = /[\0-\x08\x0a-\x1f\x7f]/
/** RFC 9112, section 7.1. Extensions are read so that nothing can hide in them, and mean nothing. */
const CHUNK_LINE =
  /^([0-9A-Fa-f]{1,12})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*$/
