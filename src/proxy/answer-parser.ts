import { announcedBytes } from '#domain/headers.ts'

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
export const MAX_ANSWER_HEADERS = 256
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
    const head = parseHead(bytes, end)
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

  #bodyState({ status, length, isChunked }: Head): State {
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
    return TOKEN.test(name) && name !== 'content-length' && name !== 'transfer-encoding'
  }
}

/** The first bytes of what others may write into. */
function ownCopy(input: Buffer, length: number): Buffer {
  const own = Buffer.allocUnsafe(length)
  input.copy(own, 0, 0, length)
  return own
}

interface Head {
  readonly status: number
  readonly headers: readonly string[]
  /** `null`: not announced. */
  readonly length: number | null
  readonly isChunked: boolean
  readonly isKeptAlive: boolean
  readonly keepAlive: number | null
}

/** @param end of the status line and the headers: where the end of the last line and the empty line begin */
function parseHead(bytes: Buffer, end: number): Head | null {
  let at = endOfLine(bytes, 0, end)
  const status = statusOf(bytes, at)
  if (status === null) return null
  const isOld = bytes[VERSION.length] === ZERO
  const text = bytes.toString('latin1', 0, end)
  const headers: string[] = []
  let length: number | null = null
  let isChunked = false
  let isKeptAlive = !isOld
  let keepAlive: number | null = null
  while (at < end) {
    const start = at + 2
    const colon = endOfName(bytes, start)
    // A name of no characters, one with a blank at its end, the continuation of a folded line: none is a name.
    if (colon === start || bytes[colon] !== COLON) return null
    at = endOfLine(bytes, colon + 1, end)
    if (at < 0) return null
    const name = nameAt(bytes, text, start, colon)
    const value = trimmed(bytes, text, colon + 1, at)
    headers.push(name, value)
    if (headers.length > 2 * MAX_ANSWER_HEADERS) return null
    switch (name) {
      case 'content-length':
        // Nothing may stand behind it, not even what is to be trimmed: parsers differ there.
        if (length !== null || isBlank(bytes[at - 1]!)) return null
        length = announcedBytes(value)
        if (length === null) return null
        break
      case 'transfer-encoding':
        if (isChunked || isOld || value.toLowerCase() !== 'chunked') return null
        isChunked = true
        break
      case 'connection':
        if (value.toLowerCase() !== 'keep-alive') isKeptAlive = false
        break
      case 'keep-alive':
        keepAlive = Number(/(?:^|[,\s])timeout=([0-9]{1,6})/i.exec(value)?.[1] ?? Number.NaN)
        if (Number.isNaN(keepAlive)) keepAlive = null
        break
    }
  }
  if (isChunked && length !== null) return null
  // HTTP/1.0 knows no interim answers.
  if (isOld && status < 200) return null
  return { status, headers, length, isChunked, isKeptAlive, keepAlive }
}

/** Where the line ends that begins at `from`: at its carriage return, or at `end`; -1 when it holds what no line may. */
function endOfLine(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && IN_NO_LINE[bytes[at]!] === 0) at++
  return at === end || (bytes[at] === CR && bytes[at + 1] === LF) ? at : -1
}

/** The status in a line that ends there; `null` when it is no status line. */
function statusOf(bytes: Buffer, end: number): number | null {
  const at = VERSION.length
  if (end < at + 5 || !beginsWithVersion(bytes)) return null
  const minor = bytes[at]! - ZERO
  const hundreds = bytes[at + 2]! - ZERO
  const tens = bytes[at + 3]! - ZERO
  const ones = bytes[at + 4]! - ZERO
  const isStatus = hundreds >= 1 && hundreds <= 5 && isDigit(tens) && isDigit(ones)
  if ((minor !== 0 && minor !== 1) || bytes[at + 1] !== SPACE || !isStatus) return null
  // A reason may be missing, and its blank with it.
  return end === at + 5 || bytes[at + 5] === SPACE ? hundreds * 100 + tens * 10 + ones : null
}

function beginsWithVersion(bytes: Buffer): boolean {
  for (let i = 0; i < VERSION.length; i++) if (bytes[i] !== VERSION.charCodeAt(i)) return false
  return true
}

const isDigit = (value: number) => value >= 0 && value <= 9

/** Where a token ends that begins at `start`. */
function endOfName(bytes: Buffer, start: number): number {
  let at = start
  while (IN_TOKEN[bytes[at]!] === 1) at++
  return at
}

/** Without the blanks and tabs around it (RFC 9110, section 5.5). */
function trimmed(bytes: Buffer, text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(bytes[start]!)) start++
  while (end > start && isBlank(bytes[end - 1]!)) end--
  return text.slice(start, end)
}

const isBlank = (code: number) => code === SPACE || code === TAB

interface Name {
  readonly written: string
  readonly lower: string
}

/** Providers send the same few names over and over: each is made once. Names are theirs, so the tables are bounded. */
const names = new Map<string, Name>()
const MOST_NAMES = 2048
/** The names that were met last, each at a place that few of its bytes tell, so that it need not be cut out to be found. */
const lately: (Name | undefined)[] = new Array(512).fill(undefined)

/** In lower case: the token from `start` to `end`. */
function nameAt(bytes: Buffer, text: string, start: number, end: number): string {
  const length = end - start
  const place = (37 * length + 17 * bytes[start]! + 5 * bytes[start + (length >> 1)]! + bytes[end - 1]!) % lately.length
  const met = lately[place]
  if (met !== undefined && met.written.length === length && text.startsWith(met.written, start)) return met.lower
  const name = nameOf(text.slice(start, end))
  lately[place] = name
  return name.lower
}

function nameOf(written: string): Name {
  let name = names.get(written)
  if (name === undefined) {
    // A part of a text keeps all of it in memory, and the text of a head holds more than names.
    const own = Buffer.from(written, 'latin1').toString('latin1')
    name = { written: own, lower: own.toLowerCase() }
    if (names.size < MOST_NAMES) names.set(own, name)
  }
  return name
}

/** Whether bytes without an empty line can still become a head: they begin like one, and each of their lines ends well. */
function couldBecomeHead(bytes: Buffer): boolean {
  const begin = bytes.toString('latin1', 0, Math.min(bytes.length, VERSION.length))
  if (!VERSION.startsWith(begin)) return false
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) if (bytes[at - 1] !== CR) return false
  return true
}

const EMPTY = Buffer.alloc(0)
const TAB = 0x09
const SPACE = 0x20
const ZERO = 0x30
const COLON = 0x3a
const CR = 0x0d
const LF = 0x0a
const HEAD_END = Buffer.from('\r\n\r\n')
const VERSION = 'HTTP/1.'
/** What stands in no line: control characters but for the tab. */
const CONTROLS = /[\0-\x08\x0a-\x1f\x7f]/
/** Byte → 1 where it is one of {@link CONTROLS}. */
const IN_NO_LINE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number((byte < SPACE && byte !== TAB) || byte === 0x7f),
)
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Byte → 1 where it may stand in a token. */
const IN_TOKEN = Uint8Array.from({ length: 256 }, (_, byte) => Number(TOKEN.test(String.fromCharCode(byte))))
/** RFC 9112, section 7.1. Extensions are read so that nothing can hide in them, and mean nothing. */
const CHUNK_LINE =
  /^([0-9A-Fa-f]{1,12})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*$/
