import { HOST, MAX_HEADERS } from './framing.ts'

/** The head of a request that there is one way to read, but for the length of its body. */
export interface PlainHead {
  readonly method: string
  readonly url: string
  /** Name, value, name, value, as received, without `content-length`. */
  readonly rawHeaders: readonly string[]
  /** Whether the client closes after it. */
  readonly isLast: boolean
}

/** Bytes of a head. Node's parser counts otherwise, and decides about what is longer. */
export const MAX_PLAIN_HEAD = 16_384
/** Bytes of a head that is remembered: those of SDKs and agents have one to two thousand. */
const MOST_REMEMBERED = 4096

/** Reads the heads that come on one connection, of which most are the one before with another length. */
export class PlainHeadReader {
  /** Bytes of the body of what was read last; of nothing else once the next is read. */
  length = 0
  /** What was read last, if it has a length: its bytes, and where the digits of the length are. */
  #head: PlainHead | null = null
  #bytes: Buffer = EMPTY
  #digitsStart = 0
  #digitsEnd = 0

  /**
   * Takes what clients of the data plane send: HTTP/1.1, a method and a target of the plane, one `Host`, a body with a
   * length or none, and nothing odd. It says nothing about what it does not take: that is Node's to read.
   *
   * @param bytes begin with the request line
   * @param end where the headers end, without the empty line
   * @returns `null` for whatever is not plain; the same object for a head that differs in its length only
   */
  read(bytes: Buffer, end: number): PlainHead | null {
    if (this.#head && this.#readsTheSame(this.#head.method, bytes, end)) return this.#head
    this.forget()
    const text = bytes.toString('latin1', 0, end)
    const parsed = parse(text)
    if (!parsed) return null
    const { head, length, digits } = parsed
    this.length = length
    if (digits < 0 || end > MOST_REMEMBERED) return head
    this.#bytes = Buffer.from(bytes.subarray(0, end))
    this.#digitsStart = digits
    this.#digitsEnd = digits + String(length).length
    this.#head = head
    return head
  }

  /** Nothing is compared with what was read so far. */
  forget(): void {
    this.#head = null
    this.#bytes = EMPTY
  }

  #readsTheSame(method: string, bytes: Buffer, end: number): boolean {
    const behind = this.#bytes.length - this.#digitsEnd
    const digitsEnd = end - behind
    if (digitsEnd <= this.#digitsStart) return false
    // In a time that tells nothing of where they differ: a server in front may send many clients over one connection.
    let difference = 0
    for (let i = 0; i < this.#digitsStart; i++) difference |= bytes[i]! ^ this.#bytes[i]!
    for (let i = 0; i < behind; i++) difference |= bytes[digitsEnd + i]! ^ this.#bytes[this.#digitsEnd + i]!
    if (difference !== 0) return false
    const digits = bytes.toString('latin1', this.#digitsStart, digitsEnd)
    if (!LENGTH.test(digits) || (digits !== '0' && !mayHaveBody(method))) return false
    this.length = Number(digits)
    return true
  }
}

/** @returns `digits`: where those of the length begin; -1 when none is given */
function parse(text: string): { head: PlainHead; length: number; digits: number } | null {
  if (!PLAIN.test(text)) return null
  const methodEnd = text.indexOf(' ')
  const method = text.slice(0, methodEnd)
  let at = text.indexOf('\r\n')
  const url = text.slice(methodEnd + 1, (at < 0 ? text.length : at) - VERSION.length)
  const rawHeaders: string[] = []
  let hosts = 0
  let length = 0
  let digits = -1
  let isLast = false
  while (at >= 0) {
    const start = at + 2
    const colon = text.indexOf(':', start)
    at = text.indexOf('\r\n', colon)
    const name = text.slice(start, colon)
    const value = trimmed(text, colon + 1, at < 0 ? text.length : at)
    switch (name.toLowerCase()) {
      case 'content-length':
        if (digits >= 0 || !LENGTH.test(value)) return null
        length = Number(value)
        digits = text.indexOf(value, colon)
        continue
      case 'host':
        if (++hosts > 1 || !HOST.test(value)) return null
        break
      case 'connection':
        if (value.toLowerCase() === 'close') isLast = true
        else if (value.toLowerCase() !== 'keep-alive') return null
        break
      case 'transfer-encoding':
      case 'expect':
      case 'upgrade':
        return null
    }
    rawHeaders.push(name, value)
  }
  if (hosts === 0 || rawHeaders.length / 2 + (digits < 0 ? 0 : 1) > MAX_HEADERS) return null
  if (length > 0 && !mayHaveBody(method)) return null
  return { head: { method, url, rawHeaders, isLast }, length, digits }
}

const mayHaveBody = (method: string) => method !== 'GET' && method !== 'HEAD'

/**
 * Whether a text without an empty line can still become a plain head: its whole lines are plain, and the one that has
 * begun holds no control character.
 */
export function couldBecomePlain(text: string): boolean {
  if (!BEGINNINGS.some((beginning) => beginning.startsWith(text.slice(0, beginning.length)))) return false
  const end = text.lastIndexOf('\r\n')
  if (end < 0) return BEGUN.test(text)
  return PLAIN.test(text.slice(0, end)) && BEGUN.test(text.slice(end + 2))
}

/** Without the blanks and tabs around it (RFC 9110, section 5.5). */
function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isBlank = (code: number) => code === 0x20 || code === 0x09

const EMPTY = Buffer.alloc(0)
const VERSION = ' HTTP/1.1'
const LENGTH = /^(?:0|[1-9][0-9]{0,14})$/
const BEGINNINGS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'].map((method) => `${method} /proxy/`)
const BEGUN = /^[\t\x20-\x7e\x80-\xff]*\r?$/
/** One line break, no blank in or behind a name, no control character, no folded line, one version. */
const PLAIN =
  /^(?:GET|POST|PUT|PATCH|DELETE|HEAD) \/proxy\/[!-~]* HTTP\/1\.1(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*$/
