import { announcedBytes, answerHeaderPasses, nominated } from '#domain/headers.ts'
import type { Redactor } from './redactor.ts'

/** The head of an answer as the client gets it. */
export interface AnswerHead {
  /** Name, value, name, value. */
  readonly headers: string[]
  /** Bytes of the body, where the provider announced them. */
  readonly length: number | null
}

/**
 * The head of the provider's answer as the client may see it.
 *
 * @param given name in lower case, value, name, value: names are tokens, values hold no control characters
 * @returns `null` for a head that cannot be passed: its body is compressed, or the status is none
 */
export function answerHead(status: number, given: readonly string[], redactor: Redactor): AnswerHead | null {
  if (status < 200 || status > 599) return null
  const headers: string[] = []
  let length: number | null = null
  let ofConnection: readonly string[] | null = null
  for (let i = 0; i < given.length; i += 2) {
    const name = given[i]!
    const value = given[i + 1]!
    switch (meaningOf(name)) {
      case PASSES:
        if (!redactor.isIn(value)) headers.push(name, value)
        break
      case LENGTH:
        length = announcedBytes(value)
        if (length === null) return null
        break
      case ENCODING:
        if (value.trim().toLowerCase() !== 'identity') return null
        break
      case TRANSFER:
        if (value.trim().toLowerCase() !== 'chunked') return null
        break
      case CONNECTION: {
        const names = nominated(value)
        if (names) ofConnection = [...(ofConnection ?? []), ...names]
        break
      }
    }
  }
  if (ofConnection) drop(headers, ofConnection)
  // 204 and 304 have no body, whatever they announce.
  if (length !== null && status !== 204) headers.push('content-length', String(length))
  return { headers, length }
}

/** What the provider's `Connection` names is of its connection, not of ours. */
function drop(headers: string[], names: readonly string[]): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (names.includes(headers[i]!)) headers.splice(i, 2)
}

/** What becomes of a header. */
type Meaning = number
const DROPPED = 0
const PASSES = 1
const LENGTH = 2
const ENCODING = 3
const TRANSFER = 4
const CONNECTION = 5

/** By name. Providers send the same few over and over: each is judged once. Names are theirs, so the table is bounded. */
const meanings = new Map<string, Meaning>([
  ['content-length', LENGTH],
  ['content-encoding', ENCODING],
  ['transfer-encoding', TRANSFER],
  ['connection', CONNECTION],
])
const MOST_MEANINGS = 2048

function meaningOf(name: string): Meaning {
  let meaning = meanings.get(name)
  if (meaning === undefined) {
    meaning = answerHeaderPasses(name) ? PASSES : DROPPED
    if (meanings.size < MOST_MEANINGS) meanings.set(name, meaning)
  }
  return meaning
}
