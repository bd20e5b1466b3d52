import { credentialForms } from '#domain/credential-forms.ts'
import type { Provider } from '#domain/provider.ts'

/** Takes a credential out of what a provider answers. One for each answer: it remembers where the last piece ended. */
export interface Redactor {
  /**
   * What may leave now, with the credential struck out by as many `*` (or another, if it holds one), so that lengths stay. What could be its
   * beginning is held back. May write into `chunk`.
   */
  push(chunk: Buffer): Buffer
  /** What was held back. */
  end(): Buffer
  /** Whether the credential is in a text of a header. */
  isIn(text: string): boolean
}

/** Compiles each provider's credential once, and again when it has been rotated. */
export type RedactorFor = (provider: Pick<Provider, 'name' | 'header'>, credential: string) => Redactor

export function redactors(): RedactorFor {
  const compiled = new Map<string, { readonly credential: string; readonly automaton: Automaton }>()
  return ({ name, header }, credential) => {
    let entry = compiled.get(name)
    if (entry?.credential !== credential) {
      entry = { credential, automaton: compile(credentialForms(credential, header)) }
      compiled.set(name, entry)
    }
    return new StreamingRedactor(entry.automaton)
  }
}

/**
 * All forms at once, one step a byte (Aho and Corasick, 1975): the row is the longest beginning of any form that the
 * bytes so far end with. So a split between two pieces is no special case, and neither is where it falls. Where nothing
 * has begun most bytes are passed over, as Wu and Manber do (1994): two bytes at the end of a window as long as the
 * shortest form tell how far from its start no form can begin. What is found and held back is the same as without that:
 * a form that began before would have those two bytes.
 */
interface Automaton {
  /** Byte → column; column 0 is every byte that is in no form. */
  readonly column: Uint8Array
  /**
   * Where a row starts, and a column → where the next row starts, or its complement when a form ends there. Row 0 has
   * matched nothing.
   */
  readonly next: Int32Array
  /** Where a row starts, and this → in `next`: how many of the last bytes can still become a form. */
  readonly open: number
  /** Where a row starts, and this → in `next`: length of the longest form that ends there. */
  readonly found: number
  /** From the first byte of the window to its last. */
  readonly reach: number
  /** The last two bytes of the window → how many places, from its first on, no form can begin at. At most `reach`. */
  readonly skip: Uint8Array
  /** What stands in place of each byte. It is none of the credential's, so that nothing struck out completes another. */
  readonly filler: number
}

class StreamingRedactor implements Redactor {
  readonly #automaton: Automaton
  #row = 0
  #held: Buffer = EMPTY

  constructor(automaton: Automaton) {
    this.#automaton = automaton
  }

  push(chunk: Buffer): Buffer {
    const { column, next, found, open, reach, skip, filler } = this.#automaton
    const from = this.#held.length
    const bytes = from === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const last = bytes.length - 1
    let row = this.#row
    for (let i = from; i <= last; i++) {
      if (row === 0) {
        let end = i + reach
        for (let by = 1; end <= last && by > 0; end += by) by = skip[(bytes[end - 1]! << 8) | bytes[end]!]!
        i = end - reach
        // No window is left, but the last two bytes tell the same of what could begin there and end in the next piece.
        if (end > last && i < last) i = Math.max(i, last - reach + skip[(bytes[last - 1]! << 8) | bytes[last]!]!)
      }
      row = next[row + column[bytes[i]!]!]!
      if (row < 0) {
        row = ~row
        bytes.fill(filler, i + 1 - next[row + found]!, i + 1)
      }
    }
    this.#row = row
    const held = next[row + open]!
    this.#held = held === 0 ? EMPTY : Buffer.from(bytes.subarray(bytes.length - held))
    return held === 0 ? bytes : bytes.subarray(0, bytes.length - held)
  }

  end(): Buffer {
    const held = this.#held
    this.#held = EMPTY
    this.#row = 0
    return held
  }

  isIn(text: string): boolean {
    const { column, next, reach, skip } = this.#automaton
    const last = text.length - 1
    let row = 0
    for (let i = 0; i <= last; i++) {
      if (row === 0) {
        let end = i + reach
        for (let by = 1; end <= last && by > 0; end += by) by = skip[twoBytes(text, end - 1)]!
        if (end > last) return false
        i = end - reach
      }
      row = next[row + column[text.charCodeAt(i) & 0xff]!]!
      if (row < 0) return true
    }
    return false
  }
}

/** Those at a place of a text, as {@link Automaton.skip} takes them. */
const twoBytes = (text: string, at: number) => ((text.charCodeAt(at) & 0xff) << 8) | (text.charCodeAt(at + 1) & 0xff)

const EMPTY = Buffer.alloc(0)
const FILLERS = '*#~x'

/** The most that a byte of {@link Automaton.skip} can say. */
const MOST_REACH = 255

function compile(forms: readonly string[]): Automaton {
  const reach = Math.min(MOST_REACH, ...forms.map((form) => form.length - 1))
  const skip = new Uint8Array(65_536).fill(reach)
  const column = new Uint8Array(256)
  let columns = 1
  let most = 1
  for (const form of forms) {
    most += form.length
    for (let i = 0; i < form.length; i++) column[form.charCodeAt(i)] ||= columns++
    for (let i = 0; i < reach; i++) {
      const bytes = twoBytes(form, i)
      skip[bytes] = Math.min(skip[bytes]!, reach - 1 - i)
    }
  }

  // The tree of the forms: the children of a row are its youngest and that one's elder siblings.
  const youngest = new Uint32Array(most)
  const elder = new Uint32Array(most)
  const by = new Uint8Array(most)
  const found = new Uint32Array(most)
  const depth = new Uint32Array(most)
  let rows = 1
  for (const form of forms) {
    let row = 0
    for (let i = 0; i < form.length; i++) {
      const c = column[form.charCodeAt(i)]!
      let child = youngest[row]!
      while (child !== 0 && by[child] !== c) child = elder[child]!
      if (child === 0) {
        child = rows++
        by[child] = c
        depth[child] = i + 1
        elder[child] = youngest[row]!
        youngest[row] = child
      }
      row = child
    }
    found[row] = form.length
  }

  // Breadth first, so that the row to fall back to is whole: a row is that one's, but for its own children.
  const width = columns + 2
  const open = columns
  const next = new Int32Array(rows * width)
  const fallback = new Uint32Array(rows)
  const queue = new Uint32Array(rows)
  for (let at = 0, queued = 1; at < rows; at++) {
    const row = queue[at]!
    const start = row * width
    const back = fallback[row]! * width
    next.copyWithin(start, back, back + width)
    if (youngest[row] !== 0) next[start + open] = depth[row]!
    next[start + open + 1] = found[row]!
    for (let child = youngest[row]!; child !== 0; child = elder[child]!) {
      const cell = start + by[child]!
      const around = next[cell]!
      fallback[child] = (around < 0 ? ~around : around) / width
      found[child] ||= found[fallback[child]!]!
      next[cell] = found[child] === 0 ? child * width : ~(child * width)
      queue[queued++] = child
    }
  }
  const filler = [...FILLERS].find((one) => !forms[0]?.includes(one)) ?? FILLERS
  return { column, next, open, found: open + 1, reach, skip, filler: filler.charCodeAt(0) }
}
