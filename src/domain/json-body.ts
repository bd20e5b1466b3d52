/** What a body says about its model, or why it cannot be trusted to say one thing. */
export type ModelInBody =
  | { readonly kind: 'model'; readonly model: string }
  | { readonly kind: 'refused'; readonly fault: string }

export const MAX_JSON_DEPTH = 64
/** Members of the body itself. No API takes as many. */
export const MAX_MEMBERS = 1_000
/**
 * Objects, lists, members and elements in all of it. Bytes are not what a body costs to read: 8 MiB of empty lists take
 * a second in which the broker does nothing else, and 8 MiB of text a hundredth of that.
 */
export const MAX_PARTS = 250_000

/** `application/json`, in UTF-8 if it says so. */
export const JSON_TYPE = /^application\/json[\t ]*(?:;[\t ]*charset[\t ]*=[\t ]*"?utf-8"?[\t ]*)?$/i

/**
 * Reads the one `model` of a JSON object. Refuses whatever two parsers could read in two ways: a name that stands
 * twice, one that differs from `model` only in case, nesting deeper than any parser must take.
 *
 * @param text decoded from valid UTF-8
 */
export function modelInBody(text: string): ModelInBody {
  const fault = faultOfMembers(text)
  if (fault !== null) return { kind: 'refused', fault }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return NOT_JSON
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return NOT_JSON
  const model: unknown = Object.hasOwn(value, 'model') ? (value as { model: unknown }).model : undefined
  if (typeof model !== 'string' || model === '') return { kind: 'refused', fault: 'it names no model as a text' }
  if (model.length > MAX_MODEL) return { kind: 'refused', fault: `its model is longer than ${MAX_MODEL} characters` }
  return { kind: 'model', model }
}

const MAX_MODEL = 256
const NOT_JSON: ModelInBody = { kind: 'refused', fault: 'it is not one JSON object' }

/**
 * One step over the structure, from string to string. Says nothing about whether the text is JSON: that is asked of
 * `JSON.parse` after it, and what is found here holds for every text that it takes.
 */
function faultOfMembers(text: string): string | null {
  const names: Names = { few: [], many: null }
  let depth = 0
  let parts = 0
  let isName = false
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE: {
        const end = endOfString(text, i)
        if (end < 0) return 'it is not one JSON object'
        if (isName && depth === 1) {
          const fault = faultOfName(text, i, end, names)
          if (fault !== null) return fault
          isName = false
        }
        i = end
        break
      }
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (++depth > MAX_JSON_DEPTH) return `it is nested deeper than ${MAX_JSON_DEPTH}`
        if (++parts > MAX_PARTS) return TOO_MANY_PARTS
        isName = depth === 1
        break
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth--
        break
      case COMMA:
        if (depth === 1) isName = true
        if (++parts > MAX_PARTS) return TOO_MANY_PARTS
        break
      case COLON:
        if (++parts > MAX_PARTS) return TOO_MANY_PARTS
        break
    }
  }
  return null
}

const TOO_MANY_PARTS = `it has more than ${MAX_PARTS} members and elements`

/** @param start of the quote before the name; `end` of the one behind it */
function faultOfName(text: string, start: number, end: number, names: Names): string | null {
  const name = isPlain(text, start + 1, end) ? text.slice(start + 1, end) : parsed(text.slice(start, end + 1))
  if (name === null) return 'it is not one JSON object'
  if (isThere(names, name)) return name === 'model' ? 'it names "model" twice' : 'it has a member twice'
  if (names.few.length + (names.many?.size ?? 0) === MAX_MEMBERS) return `it has more than ${MAX_MEMBERS} members`
  add(names, name)
  if (name === 'model') return null
  // Some parsers match names by Unicode's folding (Go's encoding/json): to them "modelſ" is "models".
  const lower = name.toUpperCase().toLowerCase()
  if (OTHER_CHOICES.has(lower)) return `it chooses models by "${lower}" too`
  return lower === 'model' ? 'it spells "model" in another case' : null
}

/** The names of the members so far. A list finds one faster than a set does, while it is short. */
interface Names {
  readonly few: string[]
  many: Set<string> | null
}

const FEW = 16

function isThere({ few, many }: Names, name: string): boolean {
  return few.includes(name) || (many?.has(name) ?? false)
}

function add(names: Names, name: string): void {
  if (names.few.length < FEW) names.few.push(name)
  else {
    names.many ??= new Set()
    names.many.add(name)
  }
}

function parsed(quoted: string): string | null {
  try {
    return JSON.parse(quoted)
  } catch {
    return null
  }
}

function isPlain(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    if (text.charCodeAt(i) === BACKSLASH) return false
  }
  return true
}

/** Members by which OpenRouter and Perplexity take other models than `model`: a list to fall back to, a stored choice. */
const OTHER_CHOICES: ReadonlySet<string> = new Set(['models', 'preset'])

/** The place of the quote that ends the string which begins at `start`; -1 when none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let first = end
    while (text.charCodeAt(first - 1) === BACKSLASH) first--
    if ((end - first) % 2 === 0) return end
  }
  return -1
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
