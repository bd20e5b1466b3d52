import { announcedBytes, HEADER_NAME } from '#domain/headers.ts'
import { ownText } from './own-text.ts'

/** The head of an answer, as far as its own text tells. */
export interface AnswerHeadText {
  readonly status: number
  readonly headers: readonly string[]
  /** `null`: not announced. */
  readonly length: number | null
  readonly isChunked: boolean
  readonly isKeptAlive: boolean
  readonly keepAlive: number | null
}

/**
 * Reads the head of an answer.
 *
 * @param end of the status line and the headers: where the end of the last line and the empty line begin
 * @returns `null` for what is no head, or could be read in two ways
 */
export function readAnswerHead(bytes: Buffer, end: number): AnswerHeadText | null {
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
    const own = ownText(written)
    name = { written: own, lower: own.toLowerCase() }
    if (names.size < MOST_NAMES) names.set(own, name)
  }
  return name
}

/** Whether bytes without an empty line can still become a head: they begin like one, and each of their lines ends well. */
export function couldBecomeHead(bytes: Buffer): boolean {
  const begin = bytes.toString('latin1', 0, Math.min(bytes.length, VERSION.length))
  if (!VERSION.startsWith(begin)) return false
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) if (bytes[at - 1] !== CR) return false
  return true
}

export const MAX_ANSWER_HEADERS = 256
const TAB = 0x09
const SPACE = 0x20
const ZERO = 0x30
const COLON = 0x3a
const CR = 0x0d
const LF = 0x0a
const VERSION = 'HTTP/1.'
/** Byte → 1 where it is a control character other than the tab: those stand in no line. */
const IN_NO_LINE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number((byte < SPACE && byte !== TAB) || byte === 0x7f),
)
/** Byte → 1 where it may stand in a token. */
const IN_TOKEN = Uint8Array.from({ length: 256 }, (_, byte) => Number(HEADER_NAME.test(String.fromCharCode(byte))))
