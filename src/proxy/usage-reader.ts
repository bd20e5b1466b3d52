import { NO_COUNTS, type Tokens, tokensOf, usageNames } from './usage-names.ts'

/**
 * Reads from an answer, while it passes, what the provider says it used: the members that `usage-forms.ts` names, at
 * their place in the JSON of a whole answer or of an event. What a model says is never at such a place, be it text or
 * the arguments of a tool. Keeps no bytes, and looks closely only at objects on the way to such a member.
 */
export class UsageReader {
  #framing: Framing = 'unknown'
  /** Of a line of an event stream: how much of `data:` there was, or what is left to do with it. */
  #line = 0
  #state: State = OUTSIDE
  /** Of the innermost object on the way: the row of {@link usageNames} where its names begin. 0 outside of any. */
  #object = 0
  /** The row for what has been read of a name. */
  #row = 0
  /** How many objects and arrays are open that are not on the way. */
  #depth = 0
  /** Whether the last piece ended, in a text, with a backslash that escapes the next byte. */
  #isEscaped = false
  #number = 0
  #digits = 0
  #counts: (number | null)[] | null = null

  /**
   * Says what kind of answer it is. Of one that is neither JSON nor an event stream nothing is read: its text may be
   * a model's. Without a `content-type` the first byte tells.
   *
   * @param headers name in lower case, value, name, value
   */
  begin(headers: readonly string[]): void {
    for (let i = 0; i < headers.length; i += 2)
      if (headers[i] === 'content-type') this.#framing = framingOf(headers[i + 1]!)
  }

  push(piece: Buffer): void {
    if (this.#framing === 'unknown') this.#framing = framingFrom(piece)
    if (this.#framing === 'json') this.#read(piece, 0, piece.length)
    else if (this.#framing === 'events') this.#readLines(piece)
  }

  tokens(): Tokens {
    return tokensOf(this.#counts)
  }

  /** Server-sent events: the JSON of an event is in its `data:` lines, and a blank line ends it. */
  #readLines(piece: Buffer): void {
    let line = this.#line
    let i = 0
    while (i < piece.length) {
      if (line === IN_DATA || line === OTHER_LINE) {
        const newline = piece.indexOf(NEWLINE, i)
        const end = newline < 0 ? piece.length : newline
        if (line === IN_DATA) this.#read(piece, i, end)
        if (newline >= 0) line = 0
        i = end + 1
      } else {
        const byte = piece[i++]!
        if (byte === DATA[line]) line++
        else if (byte === NEWLINE) {
          if (line === 0) this.#reset()
          line = 0
        } else if (byte !== RETURN) line = OTHER_LINE
      }
    }
    this.#line = line
  }

  /** Whatever was wrong with one event is over with it. */
  #reset(): void {
    this.#state = OUTSIDE
    this.#object = 0
    this.#depth = 0
    this.#isEscaped = false
  }

  /** JSON, from where the last piece ended. */
  #read(piece: Buffer, from: number, end: number): void {
    let object = this.#object
    let state = this.#state
    let row = this.#row
    let depth = this.#depth
    let i = from
    while (i < end) {
      if (state === IN_TEXT) {
        const near = this.#isEscaped ? -1 : endOfShortText(piece, i, end)
        i = near < 0 ? this.#endOfText(piece, i, end) : near
        if (i < 0) break
        state = depth > 0 ? IN_OTHER : object === 0 ? OUTSIDE : AFTER_VALUE
        continue
      }
      const byte = piece[i++]!
      switch (state) {
        case OUTSIDE:
          // Gemini streams one array of answers to those who do not ask for events.
          if (byte === OPEN_OBJECT) {
            object = ANSWER
            state = BEFORE_NAME
          } else if (byte === QUOTE) state = IN_TEXT
          break
        case BEFORE_NAME:
          if (byte === QUOTE) {
            row = object
            state = IN_NAME
          } else if (byte === CLOSE_OBJECT) {
            object = NAMES[object + AROUND]!
            state = object === 0 ? OUTSIDE : AFTER_VALUE
          }
          break
        case IN_NAME: {
          let letter = byte
          while (letter !== QUOTE && letter !== BACKSLASH) {
            row = NAMES[row + COLUMN[letter]!]!
            if (i === end) break
            letter = piece[i++]!
          }
          if (letter === QUOTE) state = AFTER_NAME
          else if (letter === BACKSLASH) {
            row = NAMES[row + COLUMN[letter]!]!
            state = IN_ESCAPE
          }
          break
        }
        case IN_ESCAPE:
          state = IN_NAME
          break
        case AFTER_NAME:
          if (byte === COLON) state = BEFORE_VALUE
          break
        case BEFORE_VALUE:
          if (byte === QUOTE) state = IN_TEXT
          else if (byte === OPEN_OBJECT && NAMES[row + OPENS] !== 0) {
            object = NAMES[row + OPENS]!
            state = BEFORE_NAME
          } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
            depth = 1
            state = IN_OTHER
          } else if (byte >= ZERO && byte <= NINE && NAMES[row + COUNTS] !== 0) {
            this.#number = byte - ZERO
            this.#digits = 1
            state = IN_NUMBER
          } else if (byte > SPACE) state = AFTER_VALUE
          break
        case IN_NUMBER:
          if (byte >= ZERO && byte <= NINE) {
            this.#number = this.#number * 10 + byte - ZERO
            this.#digits++
          } else if (byte === POINT) state = IN_FRACTION
          else {
            this.#endNumber(byte, row)
            state = AFTER_VALUE
            i--
          }
          break
        case IN_FRACTION:
          if (byte !== ZERO) {
            this.#endNumber(byte, row)
            state = AFTER_VALUE
            i--
          }
          break
        case AFTER_VALUE:
          if (byte === COMMA) state = BEFORE_NAME
          else if (byte === CLOSE_OBJECT) {
            object = NAMES[object + AROUND]!
            state = object === 0 ? OUTSIDE : AFTER_VALUE
          }
          break
        default: {
          let other = byte
          while (other < OPEN_ARRAY && other !== QUOTE && i < end) other = piece[i++]!
          if (other === QUOTE) state = IN_TEXT
          // The two kinds of brackets differ by this one bit.
          else if ((other | 0x20) === OPEN_OBJECT) depth++
          else if ((other | 0x20) === CLOSE_OBJECT && --depth === 0) state = AFTER_VALUE
        }
      }
    }
    this.#object = object
    this.#state = state
    this.#row = row
    this.#depth = depth
  }

  /** Counts are whole, though some write 12.0 for 12. Anything else is none: a part, an exponent, a sign. */
  #endNumber(byte: number, row: number): void {
    const isWhole = byte === COMMA || byte === CLOSE_OBJECT || byte <= SPACE
    if (!isWhole || this.#digits > MOST_DIGITS) return
    this.#counts ??= NO_COUNTS.slice()
    this.#counts[NAMES[row + COUNTS]! - 1] = this.#number
  }

  /**
   * Short texts are looked at, the end of a long one is searched for, which costs more to start.
   *
   * @returns the place after the quote that ends the text, -1 when it is not in this piece
   */
  #endOfText(piece: Buffer, from: number, end: number): number {
    let i = this.#isEscaped ? from + 1 : from
    this.#isEscaped = false
    for (;;) {
      for (const near = Math.min(end, i + NEAR); i < near; i++) {
        const byte = piece[i]!
        if (byte === QUOTE) return i + 1
        if (byte === BACKSLASH) i++
      }
      if (i >= end) {
        this.#isEscaped = i > end
        return -1
      }
      const quote = piece.indexOf(QUOTE, i)
      const stop = quote < 0 || quote > end ? end : quote
      let backslashes = 0
      while (stop - backslashes > i && piece[stop - backslashes - 1] === BACKSLASH) backslashes++
      const isEscaped = backslashes % 2 === 1
      if (stop === end) {
        this.#isEscaped = isEscaped
        return -1
      }
      if (!isEscaped) return stop + 1
      i = stop + 1
    }
  }
}

/** The place after the quote that ends a text; -1 when it is not near, or a backslash stands before it. */
function endOfShortText(piece: Buffer, from: number, end: number): number {
  const near = Math.min(end, from + NEAR)
  let i = from
  while (i < near && piece[i] !== QUOTE && piece[i] !== BACKSLASH) i++
  return i < near && piece[i] === QUOTE ? i + 1 : -1
}

const { names: NAMES, column: COLUMN, opens: OPENS, counts: COUNTS, around: AROUND, answer: ANSWER } = usageNames

type Framing = 'unknown' | 'json' | 'events' | 'none'

/** Answers of OpenAI are `application/json`, Cohere's first version streams `application/stream+json`. */
function framingOf(contentType: string): Framing {
  if (contentType === 'application/json') return 'json'
  const type = contentType.toLowerCase()
  if (type.includes('json')) return 'json'
  return type.includes('event-stream') ? 'events' : 'none'
}

function framingFrom(piece: Buffer): Framing {
  for (const byte of piece) if (byte > SPACE) return byte === OPEN_OBJECT || byte === OPEN_ARRAY ? 'json' : 'events'
  return 'unknown'
}

type State = number
/** Not in an answer's object. */
const OUTSIDE = 0
const BEFORE_NAME = 1
const IN_NAME = 2
const IN_ESCAPE = 3
const AFTER_NAME = 4
const BEFORE_VALUE = 5
const IN_NUMBER = 6
const IN_FRACTION = 7
const AFTER_VALUE = 8
/** In an object or an array that is not on the way. */
const IN_OTHER = 9
const IN_TEXT = 10

const DATA = Buffer.from('data:')
const IN_DATA = DATA.length
const OTHER_LINE = -1

const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Bytes of a text that are looked at one by one before its end is searched for. */
const NEAR = 32
const MOST_DIGITS = 12
