/** The head of a request that there is one way to read. */
export interface PlainHead {
  readonly method: string
  readonly url: string
  /** Name, value, name, value, as received. */
  readonly rawHeaders: string[]
  /** Bytes of the body. */
  readonly length: number
  /** Whether the client closes after it. */
  readonly isLast: boolean
}

/** Bytes of a head. Node's parser counts otherwise, and decides about what is longer. */
export const MAX_PLAIN_HEAD = 16_384

/**
 * Reads the head that clients of the data plane send: HTTP/1.1, a method and a target of the plane, headers without
 * anything odd, a body with a length or none. It says nothing about what it does not take: that is Node's to read.
 *
 * @param text the request line and the headers as Latin-1, without the empty line
 * @returns `null` for whatever is not plain
 */
export function plainHead(text: string): PlainHead | null {
  if (!PLAIN.test(text)) return null
  const methodEnd = text.indexOf(' ')
  let at = text.indexOf('\r\n')
  const lineEnd = at < 0 ? text.length : at
  const rawHeaders: string[] = []
  let hosts = 0
  let length = -1
  let isLast = false
  while (at >= 0) {
    const start = at + 2
    const colon = text.indexOf(':', start)
    at = text.indexOf('\r\n', colon)
    const name = text.slice(start, colon)
    const value = trimmed(text, colon + 1, at < 0 ? text.length : at)
    rawHeaders.push(name, value)
    // Every name that matters here has one of these lengths.
    const size = name.length
    if (size !== 4 && size !== 6 && size !== 7 && size !== 10 && size !== 14 && size !== 17) continue
    switch (name.toLowerCase()) {
      case 'host':
        hosts++
        break
      case 'content-length':
        if (length >= 0 || !LENGTH.test(value)) return null
        length = Number(value)
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
  }
  if (hosts !== 1) return null
  return {
    method: text.slice(0, methodEnd),
    url: text.slice(methodEnd + 1, lineEnd - VERSION.length),
    rawHeaders,
    length: Math.max(0, length),
    isLast,
  }
}

/**
 * Whether a text without an empty line can still become a plain head: its whole lines are plain, and the one that has
 * begun holds no control character.
 */
export function couldBecomePlain(text: string): boolean {
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

const VERSION = ' HTTP/1.1'
const LENGTH = /^(?:0|[1-9][0-9]{0,14})$/
const BEGUN = /^[\t\x20-\x7e\x80-\xff]*\r?$/
/** One line break, no blank in or behind a name, no control character, no folded line, one version. */
const PLAIN =
  /^(?:GET|POST|PUT|PATCH|DELETE|HEAD) \/proxy\/[!-~]* HTTP\/1\.1(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*$/
