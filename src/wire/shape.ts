/** A value that is not of the expected shape. The message names the place and never repeats the value. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError'
  /** Such as `providers[0]`; empty for the whole. */
  readonly field: string
  constructor(field: string, expected: string, fault = `expected ${expected}`) {
    super(field === '' ? fault : `${field}: ${fault}`)
    this.field = field
  }
}

/** Reads a value at a place, or throws a {@link ShapeError}. */
export type Shape<T> = (value: unknown, field: string) => T

export const text =
  (pattern: RegExp, expected: string): Shape<string> =>
  (value, field) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw new ShapeError(field, expected)
    return value
  }

export const integer =
  (least: number, most: number): Shape<number> =>
  (value, field) => {
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most)
      throw new ShapeError(field, `a whole number from ${least} to ${most}`)
    return value as number
  }

/** A time in whole or fractional seconds since the epoch. */
export const numericDate: Shape<number> = (value, field) => {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || value > 253_402_300_799)
    throw new ShapeError(field, 'a NumericDate, in seconds')
  return value
}

export const oneOf =
  <const T extends string>(...values: readonly T[]): Shape<T> =>
  (value, field) => {
    if (!values.includes(value as T)) throw new ShapeError(field, `one of ${values.join(', ')}`)
    return value as T
  }

export const nullable =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value, field) =>
    value === null ? null : shape(value, field)

export const list =
  <T>(shape: Shape<T>, least: number, most: number): Shape<T[]> =>
  (value, field) => {
    if (!Array.isArray(value) || value.length < least || value.length > most)
      throw new ShapeError(field, `a list of ${least} to ${most} entries`)
    return value.map((entry, i) => shape(entry, `${field}[${i}]`))
  }

/** An object whose names are data: checked by `name`, cut off at `most`. */
export const record =
  <T>(name: RegExp, shape: Shape<T>, most: number): Shape<Record<string, T>> =>
  (value, field) => {
    if (!isObject(value) || Object.keys(value).length > most)
      throw new ShapeError(field, `an object of at most ${most} members`)
    const read: Record<string, T> = Object.create(null)
    for (const [key, member] of Object.entries(value)) {
      if (!name.test(key)) throw new ShapeError(field, 'an object with names of the expected form')
      read[key] = shape(member, `${field}.${key}`)
    }
    return read
  }

type Read<M> = { [K in keyof M]: M[K] extends Shape<infer T> ? T : never }

/**
 * An object with these members. `optional` ones may be absent.
 *
 * @param extra what to do with members that are not named: `refuse` in requests, so that nothing asked for is silently
 *   not given; `ignore` in answers, so that a newer broker may say more
 */
export const object =
  <
    const M extends Record<string, Shape<unknown>>,
    const O extends Record<string, Shape<unknown>> = Record<never, never>,
  >(
    required: M,
    optional: O,
    extra: 'refuse' | 'ignore',
  ): Shape<Read<M> & Partial<Read<O>>> =>
  (value, field) => {
    if (!isObject(value)) throw new ShapeError(field, 'a JSON object')
    const at = (name: string) => (field === '' ? name : `${field}.${name}`)
    if (extra === 'refuse')
      for (const name of Object.keys(value))
        if (!Object.hasOwn(required, name) && !Object.hasOwn(optional, name))
          throw new ShapeError(
            at(printable(name)),
            'a known field',
            `no such field; known are ${[...Object.keys(required), ...Object.keys(optional)].join(', ')}`,
          )
    const read: Record<string, unknown> = {}
    for (const [name, shape] of Object.entries(required)) {
      if (!Object.hasOwn(value, name)) throw new ShapeError(at(name), 'this field', 'is missing')
      read[name] = shape(value[name], at(name))
    }
    for (const [name, shape] of Object.entries(optional))
      if (Object.hasOwn(value, name)) read[name] = shape(value[name], at(name))
    return read as Read<M> & Partial<Read<O>>
  }

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function printable(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '?').slice(0, 40)
}
