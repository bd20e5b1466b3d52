import { isIPv4, isIPv6 } from 'node:net'
import type { Address } from '#config.ts'
import { parseRoute, type Route } from '#domain/route.ts'
import type { Place, Reader } from './place.ts'

/** A whole number, without quotes. */
export function wholeNumber(least: number, most: number, unit = ''): Reader<number> {
  return (at) => {
    const value = at.scalar()
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
    const quoted = typeof value === 'string' && /^[0-9]+$/.test(value) ? '; write it without quotes' : ''
    return at.refuse(`expected a whole number${unit} from ${least} to ${most}, got ${at.shown()}${quoted}`)
  }
}

/** Text of this form. Not for values that may be secrets, since a problem shows what stands there. */
export function word(form: RegExp, expected: string): Reader<string> {
  return (at) => {
    const value = at.scalar()
    if (typeof value === 'string' && form.test(value)) return value
    const number = typeof value === 'number' || typeof value === 'boolean' ? '; write it in quotes' : ''
    return at.refuse(`expected ${expected}, got ${at.shown()}${number}`)
  }
}

export function oneOf<const T extends string>(...words: readonly T[]): Reader<T> {
  return (at) => {
    const value = words.find((candidate) => candidate === at.scalar())
    return value ?? at.refuse(`expected ${words.join(' or ')}, got ${at.shown()}`)
  }
}

/** Entries of any one list. */
const MAX_ENTRIES = 256

/**
 * A list without repetitions, of at least one entry unless `least` is 0.
 *
 * @returns the entries that could be read, so that what follows can look at them; the others are problems
 */
export function listOf<T>(read: Reader<T>, expected: string, alone: 'alone' | 'list', least = 1): Reader<readonly T[]> {
  return (at) => {
    const entries = at.entries(expected, alone)
    if (!entries) return undefined
    if (entries.length < least) return at.refuse(`expected ${expected}, got an empty list`)
    if (entries.length > MAX_ENTRIES) return at.refuse(`expected at most ${MAX_ENTRIES} entries, got ${entries.length}`)
    const seen = new Set<unknown>()
    return entries.flatMap((entry) => {
      const value = read(entry)
      if (value === undefined) return []
      const text = entry.scalar()
      if (text !== undefined && seen.has(text)) entry.refuse(`${entry.shown()} stands here twice`)
      seen.add(text)
      return [value]
    })
  }
}

/** Characters; what a job can ask for. */
const MAX_ROUTE_LENGTH = 1024

export const route: Reader<Route> = (at) => {
  const value = at.text('a route, such as "POST /v1/responses"')
  if (value === undefined) return undefined
  if (value.length > MAX_ROUTE_LENGTH) return at.refuse(`expected a route of at most ${MAX_ROUTE_LENGTH} characters`)
  const read = parseRoute(value)
  return typeof read === 'string' ? at.refuse(read) : read
}

/** Text in which `*` stands for characters of one segment and a last `**` for the rest. */
export const pattern = patternOf(/^[\x20-\x7e]{1,256}$/, 'text of 1 to 256 plain (ASCII) characters')
export const modelPattern = patternOf(/^[\x21-\x7e]{1,256}$/, 'a model of 1 to 256 plain (ASCII) characters, no blanks')

function patternOf(form: RegExp, expected: string): Reader<string> {
  const read = word(form, expected)
  return (at) => {
    const value = read(at)
    if (value === undefined) return undefined
    const segments = value.split('/')
    if (segments.some((segment, i) => segment.includes('**') && (segment !== '**' || i < segments.length - 1)))
      return at.refuse('"**" stands only as the last whole "/" segment')
    return value
  }
}

export interface Url {
  /** Scheme, host and port, in lower case and without a default port. */
  readonly origin: string
  /** Without a query, and without the `/` of an empty path. */
  readonly path: string
  /** As it is written. */
  readonly text: string
}

const URL_FORM =
  /^(?<scheme>[a-z]+):\/\/(?<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?<path>\/[\w\-.~!$&'()*+,:@/]*)?$/i

/** `https:`, or `http:` on a literal loopback address. A URL may hold a password, so none is shown. */
export const url: Reader<Url> = (at) => {
  const text = at.text('a URL, such as https://till.example.com')
  if (text === undefined) return undefined
  if (/^[a-z]+:\/\/[^/]*@/i.test(text)) return at.refuse('expected a URL without a user name or password')
  if (/[?#]/.test(text)) return at.refuse('expected a URL without "?" and "#"')
  const { scheme, host, path } = URL_FORM.exec(text)?.groups ?? {}
  if (!scheme || !host || !URL.canParse(text)) return at.refuse('expected a URL, such as https://till.example.com')
  const isLoopback = host === '127.0.0.1' || host === '[::1]'
  if (scheme.toLowerCase() !== 'https' && !(scheme.toLowerCase() === 'http' && isLoopback))
    return at.refuse('expected https: (http: only on 127.0.0.1 or [::1])')
  if (path?.split('/').some((segment, i) => segment === '.' || segment === '..' || (segment === '' && i > 1)))
    return at.refuse('expected a path without ".", ".." and a trailing or double "/"')
  return { origin: new URL(text).origin, path: path === undefined || path === '/' ? '' : path, text }
}

/** `HOST:PORT`; an IPv6 address stands in brackets. */
export const address: Reader<Address> = (at) => {
  const expected = 'HOST:PORT, such as 127.0.0.1:4100 or "[::1]:4100"'
  const value = at.scalar()
  const { name, six, port } =
    /^(?:(?<name>[a-z0-9.-]+)|\[(?<six>[0-9a-f:.]+)\]):(?<port>[0-9]{1,5})$/i.exec(String(value))?.groups ?? {}
  const host = six ?? name
  const isHost = six === undefined ? name !== undefined && (isIPv4(name) || !/^[0-9.]+$/.test(name)) : isIPv6(six)
  if (host === undefined || !isHost || Number(port) > 65_535)
    return at.refuse(`expected ${expected}, got ${at.shown()}`)
  return { host, port: Number(port) }
}

/** The place's own name, where names have a form. */
export function named(at: Place, name: string, form: RegExp, expected: string): string | undefined {
  return form.test(name) ? name : at.refuseName(`expected ${expected}`)
}
