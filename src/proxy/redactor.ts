import { credentialForms } from '#domain/credential-forms.ts'
import type { Provider } from '#domain/provider.ts'

/** Takes a credential out of what a provider answers. One for each answer: it remembers where the last piece ended. */
export interface Redactor {
  /**
   * What may leave now, with the credential struck out by as many `*`, so that lengths stay. What could be its
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
 * All forms at once, one step a byte (Aho and Corasick, 1975): the state is the longest beginning of any form that the
 * bytes so far end with. So a split between two pieces is no special case, and neither is where it falls.
 */
interface Automaton {
  /** Byte → column; column 0 is every byte that is in no form. */
  readonly column: Uint8Array
  readonly columns: number
  /** State × column → state; state 0 has matched nothing. */
  readonly next: Uint16Array | Uint32Array
  /** State → length of the longest form that ends here, or 0. */
  readonly found: Uint16Array | Uint32Array
  /** State → how many of the last bytes can still become a form. */
  readonly open: Uint16Array | Uint32Array
}

class StreamingRedactor implements Redactor {
  readonly #automaton: Automaton
  #state = 0
  #held: Buffer = EMPTY

  constructor(automaton: Automaton) {
    this.#automaton = automaton
  }

  push(chunk: Buffer): Buffer {
    const { column, columns, next, found, open } = this.#automaton
    const from = this.#held.length
    const bytes = from === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const { length } = bytes
    let state = this.#state
    for (let i = from; i < length; i++) {
      state = next[state * columns + column[bytes[i]!]!]!
      if (state !== 0 && found[state] !== 0) bytes.fill(STAR, i + 1 - found[state]!, i + 1)
    }
    this.#state = state
    const held = open[state]!
    if (held === 0) {
      this.#held = EMPTY
      return bytes
    }
    this.#held = Buffer.from(bytes.subarray(length - held))
    return bytes.subarray(0, length - held)
  }

  end(): Buffer {
    const held = this.#held
    this.#held = EMPTY
    this.#state = 0
    return held
  }

  isIn(text: string): boolean {
    const { column, columns, next, found } = this.#automaton
    let state = 0
    for (let i = 0; i < text.length; i++) {
      state = next[state * columns + column[text.charCodeAt(i) & 0xff]!]!
      if (found[state] !== 0) return true
    }
    return false
  }
}

const EMPTY = Buffer.alloc(0)
const STAR = 0x2a

function compile(forms: readonly string[]): Automaton {
  const column = new Uint8Array(256)
  let columns = 1
  let most = 1
  for (const form of forms) {
    most += form.length
    for (let i = 0; i < form.length; i++) {
      const byte = form.charCodeAt(i) & 0xff
      if (column[byte] === 0) column[byte] = columns++
    }
  }
  const numbers = (length: number) => (most < 65_536 ? new Uint16Array(length) : new Uint32Array(length))
  const next = numbers(most * columns)
  const found = numbers(most)
  const depth = numbers(most)
  const isLeaf = new Uint8Array(most).fill(1)

  let states = 1
  for (const form of forms) {
    let state = 0
    for (let i = 0; i < form.length; i++) {
      const cell = state * columns + column[form.charCodeAt(i) & 0xff]!
      if (next[cell] === 0) {
        isLeaf[state] = 0
        depth[states] = i + 1
        next[cell] = states++
      }
      state = next[cell]!
    }
    found[state] = form.length
  }

  // Breadth first. A row holds children only until its turn comes; the state to fall back to had its turn before.
  const fallback = numbers(states)
  const open = numbers(states)
  const queue = [0]
  for (let at = 0; at < queue.length; at++) {
    const state = queue[at]!
    const back = fallback[state]!
    if (state !== 0 && found[back]! > found[state]!) found[state] = found[back]!
    open[state] = state === 0 ? 0 : isLeaf[state] ? open[back]! : depth[state]!
    for (let c = 0; c < columns; c++) {
      const cell = state * columns + c
      const child = next[cell]!
      const around = state === 0 ? 0 : next[back * columns + c]!
      if (child !== 0) {
        fallback[child] = around
        queue.push(child)
      } else next[cell] = around
    }
  }
  return { column, columns, next, found: found.slice(0, states), open }
}
