/**
 * The tokens of RFC 8259 that are longer than a character, as `JSON.parse` takes them. Nothing is built of them: each
 * function is told where its token begins and returns where the text goes on behind it, or -1 when it is no such token.
 *
 * `charCodeAt` is never asked beyond the end: where that happens once, V8 takes three times as long from then on.
 */

/**
 * What stands ahead in a text and would make a string more than what lies between two quotes: where the next backslash
 * is, and the next control character. A place that has been passed is looked for anew; the text's length says "none".
 */
export interface Ahead {
  /** Of \0 to \x0f; in a text of wide characters of any. */
  low: number
  /** Of \x10 to \x1f. */
  high: number
  backslash: number
  readonly isWide: boolean
}

export function aheadIn(text: string): Ahead {
  const isWide = WIDE.test(text)
  return { low: -1, high: isWide ? text.length : -1, backslash: -1, isWide }
}

/**
 * @param start of the quote that opens the string
 * @param ahead of the same text, read so far up to `start` at most
 */
export function afterString(text: string, start: number, ahead: Ahead): number {
  let end = text.indexOf('"', start + 1)
  if (end < 0) return -1
  if (end - start <= SHORT && (ahead.low < start || ahead.backslash < start) && isPlain(text, start + 1, end))
    return end + 1
  if (ahead.backslash < start) ahead.backslash = orLength(text, text.indexOf('\\', start))
  if (ahead.backslash < end) {
    end = endBehindEscapes(text, end, ahead)
    if (end < 0) return -1
  }
  if (ahead.low < start) ahead.low = placeOf(ahead.isWide ? CONTROL : LOW_CONTROL, text, start)
  if (ahead.high < start) ahead.high = placeOf(HIGH_CONTROL, text, start)
  return ahead.low < end || ahead.high < end ? -1 : end + 1
}

/** Up to this length a string is read faster by the character than by looking for what is ahead. */
const SHORT = 16

function isPlain(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i)
    if (code === BACKSLASH || code < SPACE) return false
  }
  return true
}

/**
 * V8 compares 16 characters at once with a class of up to 16, in a text of one byte for each: both classes together take
 * a quarter of the time that the 32 in one class do, and a tenth of a loop over `charCodeAt`. A text of wide characters
 * it reads one by one, and once is enough.
 */
const LOW_CONTROL = /[\0-\x0f]/g
const HIGH_CONTROL = /[\x10-\x1f]/g
const CONTROL = /[\0-\x1f]/g
/** In a text of one byte for each character V8 knows without a look that there is none. */
const WIDE = /[\u0100-\uffff]/

/** @param pattern of one character, with the flag `g` */
function placeOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  return pattern.test(text) ? pattern.lastIndex - 1 : text.length
}

function orLength(text: string, place: number): number {
  return place < 0 ? text.length : place
}

/**
 * @param firstQuote behind the string's first backslash or before it, which `ahead` has
 * @returns the place of the quote that ends the string; -1 also when an escape is none
 */
function endBehindEscapes(text: string, firstQuote: number, ahead: Ahead): number {
  let quote = firstQuote
  let i = ahead.backslash
  for (;;) {
    // In JSON within a text one escape follows upon another: some steps cost less than to look for what is ahead.
    for (let near = 0; near < NEAR && i < text.length; near++) {
      const code = text.charCodeAt(i)
      if (code === QUOTE) return i
      if (code === BACKSLASH) {
        i = afterEscape(text, i)
        if (i < 0) return -1
        near = 0
      } else i++
    }
    // Neither is looked for before it is passed: a far quote behind many escapes would be looked for from each of them.
    if (quote < i) quote = text.indexOf('"', i)
    if (quote < 0) return -1
    if (ahead.backslash < i) ahead.backslash = orLength(text, text.indexOf('\\', i))
    if (ahead.backslash > quote) return quote
    i = ahead.backslash
  }
}

const NEAR = 3

function afterEscape(text: string, start: number): number {
  if (start + 1 >= text.length) return -1
  const code = text.charCodeAt(start + 1)
  if (code >= BEHIND_BACKSLASH.length || BEHIND_BACKSLASH[code] === 0) return -1
  if (code !== LETTER_U) return start + 2
  const end = start + 6
  if (end > text.length) return -1
  for (let i = start + 2; i < end; i++) {
    if (!isHexDigit(text.charCodeAt(i))) return -1
  }
  return end
}

/** 1 at the code of each character that may stand there. */
const BEHIND_BACKSLASH = new Uint8Array(0x80)
for (const letter of '"\\/bfnrtu') BEHIND_BACKSLASH[letter.charCodeAt(0)] = 1

function isHexDigit(code: number): boolean {
  const lower = code | 0x20
  return isDigit(code) || (lower >= LETTER_A && lower <= LETTER_F)
}

/** Behind a number, `true`, `false` or `null`. */
export function afterScalar(text: string, start: number): number {
  const code = codeAt(text, start)
  if (code === MINUS || isDigit(code)) return afterNumber(text, start)
  const literal = LITERALS[code]
  return literal !== undefined && text.startsWith(literal, start) ? start + literal.length : -1
}

const LITERALS: Readonly<Record<number, string>> = { 116: 'true', 102: 'false', 110: 'null' }

function afterNumber(text: string, start: number): number {
  let i = codeAt(text, start) === MINUS ? start + 1 : start
  const whole = afterDigits(text, i)
  if (whole < 0 || (codeAt(text, i) === ZERO && whole > i + 1)) return -1
  i = whole
  if (codeAt(text, i) === POINT) {
    i = afterDigits(text, i + 1)
    if (i < 0) return -1
  }
  if ((codeAt(text, i) | 0x20) !== LETTER_E) return i
  const sign = codeAt(text, i + 1)
  return afterDigits(text, sign === PLUS || sign === MINUS ? i + 2 : i + 1)
}

/** Behind one digit or more. */
function afterDigits(text: string, start: number): number {
  let i = start
  while (i < text.length && isDigit(text.charCodeAt(i))) i++
  return i === start ? -1 : i
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

/** @returns 0 behind the end: a character that begins and continues no token */
function codeAt(text: string, i: number): number {
  return i < text.length ? text.charCodeAt(i) : 0
}

const SPACE = 0x20
const QUOTE = 0x22
const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const BACKSLASH = 0x5c
const LETTER_A = 0x61
const LETTER_E = 0x65
const LETTER_F = 0x66
const LETTER_U = 0x75
