import { isMap, isScalar, isSeq, type Node } from 'yaml'
import type { ConfigProblem } from '#config.ts'
import { nearest } from './nearest.ts'

/** The parsed file, as far as its places need it. */
export interface OpenFile {
  readonly problems: ConfigProblem[]
  /** What stands there; behind an alias, what its anchor marks. */
  resolve(node: unknown): Node | null
  position(node: Node): Position | null
}

export interface Position {
  readonly line: number
  readonly column: number
}

/** Reads a value; `undefined` when it is refused, and the problem is written down. */
export type Reader<T> = (at: Place) => T | undefined

/** A value of the file and where it stands. */
export class Place {
  /** Such as `policies[0].activations`. */
  readonly path: string
  readonly #file: OpenFile
  readonly #node: Node | null
  readonly #name: Position
  readonly #position: Position

  /** @param name where the name of the value stands, or what holds it */
  constructor(file: OpenFile, path: string, node: unknown, name: Position) {
    this.path = path
    this.#file = file
    this.#node = file.resolve(node)
    this.#name = name
    this.#position = (this.#node && !isNothing(this.#node) && file.position(this.#node)) || name
  }

  /** Writes down what is wrong with the value. */
  refuse(message: string): undefined {
    this.#file.problems.push({ ...this.#position, path: this.path, message })
  }

  /** Writes down what is wrong with its name. */
  refuseName(message: string): undefined {
    this.#file.problems.push({ ...this.#name, path: this.path, message })
  }

  /** Writes down that it lacks a member. */
  refuseMissing(name: string, message: string): undefined {
    this.#file.problems.push({ ...this.#position, path: joined(this.path, name), message })
  }

  scalar(): string | number | boolean | undefined {
    const value = isScalar(this.#node) ? this.#node.value : undefined
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined
  }

  isMap(): boolean {
    return isMap(this.#node)
  }

  /** Text, which may be a secret: a problem says what kind of value stands there, not which. */
  text(expected: string): string | undefined {
    const value = this.scalar()
    return typeof value === 'string' ? value : this.refuse(`expected ${expected}, got ${this.kind()}`)
  }

  /** At least one entry. A value that stands alone is a list of one, where `alone` allows it. */
  entries(expected: string, alone: 'alone' | 'list' = 'list'): readonly Place[] | undefined {
    if (alone === 'alone' && this.scalar() !== undefined) return [this]
    if (!isSeq(this.#node)) return this.refuse(`expected ${expected}, got ${this.kind()}`)
    return this.#node.items.map((item, i) => new Place(this.#file, `${this.path}[${i}]`, item, this.#position))
  }

  /** The members of a map whose names are data, in order. */
  members(expected: string): ReadonlyMap<string, Place> | undefined {
    if (!isMap(this.#node)) return this.refuse(`expected ${expected}, got ${this.kind()}`)
    const members = new Map<string, Place>()
    for (const { key, value } of this.#node.items) {
      const node = this.#file.resolve(key)
      const name = isScalar(node) ? String(node.value ?? '') : ''
      const position = (node && this.#file.position(node)) || this.#position
      const place = new Place(this.#file, joined(this.path, name), value, position)
      if (members.has(name)) place.refuseName('this name stands here twice')
      else members.set(name, place)
    }
    return members
  }

  /** A map whose names are known. */
  fields(known: readonly string[]): Fields | undefined {
    const members = this.members(`a map of ${known.join(', ')}`)
    if (!members) return undefined
    for (const [name, place] of members)
      if (!known.includes(name))
        place.refuseName(`no such field${nearest(name, known) || `; known are ${known.join(', ')}`}`)
    return new Fields(this, members)
  }

  /** What kind of value stands there. */
  kind(): string {
    if (this.#node === null || isNothing(this.#node)) return 'nothing'
    if (isMap(this.#node)) return 'a map'
    if (isSeq(this.#node)) return 'a list'
    const type = typeof this.scalar()
    return type === 'string' ? 'text' : `a ${type}`
  }

  /** What stands there, where it is short. Not for values that may be secrets. */
  shown(): string {
    const value = this.scalar()
    // A number as it is written: a long one is another to JavaScript.
    const text =
      typeof value === 'string' ? JSON.stringify(value) : isScalar(this.#node) ? this.#node.source : undefined
    return value === undefined || text === undefined || text.length > 42 ? this.kind() : text
  }
}

/** The members of a map whose names are known. */
export class Fields {
  readonly at: Place
  readonly #members: ReadonlyMap<string, Place>

  constructor(at: Place, members: ReadonlyMap<string, Place>) {
    this.at = at
    this.#members = members
  }

  get(name: string): Place | undefined {
    return this.#members.get(name)
  }

  /** Reads a field that must be there. */
  need<T>(name: string, read: Reader<T>, why = 'this field is missing'): T | undefined {
    const place = this.get(name)
    return place ? read(place) : this.at.refuseMissing(name, why)
  }

  /** Reads a field that may be absent. */
  take<T, D>(name: string, read: Reader<T>, absent: D): T | D | undefined {
    const place = this.get(name)
    return place ? read(place) : absent
  }
}

/** The parts of a value, if none was refused. */
export function whole<T extends object>(parts: { readonly [K in keyof T]: T[K] | undefined }): T | undefined {
  return Object.values(parts).includes(undefined) ? undefined : (parts as T)
}

function isNothing(node: Node): boolean {
  return isScalar(node) && node.value === null
}

function joined(path: string, name: string): string {
  const shown = name === '' ? '""' : name.replace(/[^\x21-\x7e]/g, '?').slice(0, 60)
  return path === '' ? shown : `${path}.${shown}`
}
