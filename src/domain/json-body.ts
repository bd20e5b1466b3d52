import { afterScalar, afterString, aheadIn } from './json-scan.ts'

/** What a body says about its model, or why it cannot be trusted to say one thing. */
export type ModelInBody =
  | { readonly kind: 'model'; readonly model: string }
  | { readonly kind: 'refused'; readonly fault: string }

export const MAX_JSON_DEPTH = 64
/** Members of the body itself. No API takes as many. */
export const MAX_MEMBERS = 1_000
/**
 * Objects, lists, members and elements in all of it. Bytes are not what a body costs to read: 8 MiB of empty lists take
 * a tenth of a second in which the broker does nothing else, and 8 MiB of text a fiftieth of that.
 */
export const MAX_PARTS = 250_000

/** `application/json`, in UTF-8 if it says so. */
export const JSON_TYPE = /^application\/json[\t ]*(?:;[\t ]*charset[\t ]*=[\t ]*"?utf-8"?[\t ]*)?$/i

/**
 * Reads the one `model` of a JSON object. Refuses whatever two parsers could read in two ways: a name that stands
 * twice, one that differs from `model` only in case, nesting deeper than any parser must take.
 *
 * JSON is what `JSON.parse` takes. That one is not asked: it would build the whole body for the sake of one member.
 *
 * @param text decoded from valid UTF-8
 */
export function modelInBody(text: string): ModelInBody {
  const names: Names = { few: [], many: null }
  const ahead = aheadIn(text)
  let model: string | null = null
  let isModel = false
  let depth = 0
  let parts = 0
  let expected = BODY
  for (let i = 0; i < text.length; ) {
    const start = i++
    const code = text.charCodeAt(start)
    switch (code) {
      case TAB:
      case LF:
      case CR:
      case SPACE:
        break
      case QUOTE:
        if ((expected & (NAME | VALUE)) === 0) return NOT_JSON
        i = afterString(text, start, ahead)
        if (i < 0) return NOT_JSON
        if (depth === 1) {
          const inner = text.slice(start + 1, i - 1)
          // A list in place of the body is refused where it ends; until then its texts are taken for names.
          if ((expected & NAME) !== 0 || isList[1] === 1) {
            const name = meant(inner)
            const fault = faultOfName(name, names)
            if (fault !== null) return { kind: 'refused', fault }
            isModel = name === 'model'
          } else if (isModel) model = modelOf(inner)
        }
        expected = (expected & NAME) !== 0 ? PAIR : NEXT | END
        break
      case COLON:
        if (expected !== PAIR) return NOT_JSON
        if (++parts > MAX_PARTS) return TOO_MANY_PARTS
        expected = VALUE
        break
      case COMMA:
        if ((expected & NEXT) === 0) return NOT_JSON
        if (++parts > MAX_PARTS) return TOO_MANY_PARTS
        expected = isList[depth] === 1 ? VALUE : NAME
        break
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if ((expected & (BODY | VALUE)) === 0) return NOT_JSON
        if (++depth > MAX_JSON_DEPTH) return TOO_DEEP
        if (++parts > MAX_PARTS) return TOO_MANY_PARTS
        isList[depth] = code === OPEN_BRACKET ? 1 : 0
        expected = code === OPEN_BRACKET ? VALUE | END : NAME | END
        break
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if ((expected & END) === 0 || isList[depth] !== (code === CLOSE_BRACKET ? 1 : 0)) return NOT_JSON
        expected = --depth === 0 ? NOTHING : NEXT | END
        break
      default:
        if ((expected & VALUE) === 0) return NOT_JSON
        i = afterScalar(text, start)
        if (i < 0) return NOT_JSON
        expected = NEXT | END
    }
  }
  return expected === NOTHING && isList[1] === 0 ? found(model) : NOT_JSON
}

/** What may come next, as bits: the body, a name, its colon, a value, a comma, the end of the object or list. */
const NOTHING = 0
const BODY = 1
const NAME = 2
const PAIR = 4
const VALUE = 8
const NEXT = 16
const END = 32

/** Whether a list, or else an object, is open at each depth. One for all bodies: they are read one after another. */
const isList = new Uint8Array(MAX_JSON_DEPTH + 1)

const NOT_JSON: ModelInBody = { kind: 'refused', fault: 'it is not one JSON object' }
const TOO_DEEP: ModelInBody = { kind: 'refused', fault: `it is nested deeper than ${MAX_JSON_DEPTH}` }
const TOO_MANY_PARTS: ModelInBody = { kind: 'refused', fault: `it has more than ${MAX_PARTS} members and elements` }

/** @param model `null` when there is none that is a text */
function found(model: string | null): ModelInBody {
  if (model === null || model === '') return { kind: 'refused', fault: 'it names no model as a text' }
  if (model.length > MAX_MODEL) return { kind: 'refused', fault: `its model is longer than ${MAX_MODEL} characters` }
  return { kind: 'model', model }
}

const MAX_MODEL = 256

/** @param inner what stands between the quotes */
function modelOf(inner: string): string {
  // No escape takes more than six characters: this one is too long, whatever it means.
  if (inner.length > 6 * MAX_MODEL) return inner
  // A longer piece of a text would keep the text in memory as long as the model is: JSON.parse copies it.
  return inner.length < COPIED_BY_V8 ? meant(inner) : JSON.parse(`"${inner}"`)
}

const COPIED_BY_V8 = 13

/** @param inner what stands between the quotes of a string that has been read to its end */
function meant(inner: string): string {
  return inner.includes('\\') ? JSON.parse(`"${inner}"`) : inner
}

function faultOfName(name: string, names: Names): string | null {
  if (isThere(names, name)) return name === 'model' ? 'it names "model" twice' : 'it has a member twice'
  if (names.few.length + (names.many?.size ?? 0) === MAX_MEMBERS) return `it has more than ${MAX_MEMBERS} members`
  add(names, name)
  if (name === 'model' || !mayMeanAnother(name)) return null
  // Some parsers match names by Unicode's folding (Go's encoding/json): to them "modelſ" is "models".
  const lower = name.toUpperCase().toLowerCase()
  if (OTHER_CHOICES.has(lower)) return `it chooses models by "${lower}" too`
  return lower === 'model' ? 'it spells "model" in another case' : null
}

/** Members by which OpenRouter and Perplexity take other models than `model`: a list to fall back to, a stored choice. */
const OTHER_CHOICES: ReadonlySet<string> = new Set(['models', 'preset'])

/** Spares most names the folding, which makes no name shorter and no ASCII letter another one. */
function mayMeanAnother(name: string): boolean {
  if (name.length === 0 || name.length > 'models'.length) return false
  const first = name.charCodeAt(0) | 0x20
  return first === LETTER_M || first === LETTER_P || first >= 0x80
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

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const LETTER_M = 0x6d
const LETTER_P = 0x70
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
