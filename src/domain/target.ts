import type { Provider } from './provider.ts'
import { type Refusal, refusal } from './refusal.ts'
import type { Route } from './route.ts'

/** The request target of the data plane, taken apart. Its parts are the client's own bytes: nothing was decoded. */
export interface ProxyTarget {
  readonly kind: 'target'
  readonly provider: string
  /** From its `/` to before the query; `/` where nothing follows the provider. */
  readonly path: string
  /** With its `?`, or empty. */
  readonly query: string
}

/** Bytes of a request target. */
export const MAX_TARGET_BYTES = 4096

const PREFIX = '/proxy/'

/**
 * Reads `/proxy/{provider}/{path}?{query}` as it stood in the request line. What passes means the same to every server:
 * nothing in it can be decoded, collapsed or split into something else, so what is checked can be what is sent.
 *
 * @param most bytes
 */
export function parseProxyTarget(raw: string, most: number = MAX_TARGET_BYTES): ProxyTarget | Refusal {
  if (raw.length > most) return refused(`its target is longer than ${most} bytes`)
  if (!raw.startsWith(PREFIX)) return refused('its target does not begin with /proxy/')

  const end = raw.indexOf('?')
  const pathEnd = end < 0 ? raw.length : end
  let start = raw.indexOf('/', PREFIX.length)
  if (start < 0 || start > pathEnd) start = pathEnd
  const provider = raw.slice(PREFIX.length, start)
  if (!PROVIDER.test(provider)) return refused('its target names no provider: /proxy/{provider}/{path}')

  const path = start === pathEnd ? '/' : raw.slice(start, pathEnd)
  const query = raw.slice(pathEnd)
  const fault = faultOfPath(path) ?? (query === '' ? null : faultOfQuery(query))
  return fault === null ? { kind: 'target', provider, path, query } : refused(fault)
}

const PROVIDER = /^[a-z][a-z0-9-]{0,39}$/

/** The provider that a target names, whatever else is wrong with it; `null` when it names none. */
export function providerOfTarget(raw: string): string | null {
  const name = raw.startsWith(PREFIX) ? (raw.slice(PREFIX.length).split(/[/?]/, 1)[0] ?? '') : ''
  return PROVIDER.test(name) ? name : null
}

/** One step over the code units. Segments are seen as they end, so that no list of them is made. */
function faultOfPath(path: string): string | null {
  let segment = 1
  for (let i = 1; i <= path.length; i++) {
    const code = i === path.length ? SLASH : path.charCodeAt(i)
    if (code === SLASH) {
      const length = i - segment
      if (length === 0 && i < path.length) return 'its path has an empty segment ("//")'
      if (isDots(path, segment, length)) return 'its path has a "." or ".." segment'
      segment = i + 1
    } else if (code === PERCENT) {
      const byte = escaped(path, i)
      if (byte < 0) return 'its path has a "%" that two hexadecimal digits do not follow'
      if (byte < 0x80 && !NEEDS_ESCAPE[byte])
        return `its path holds ${path.slice(i, i + 3)}, which is not to be escaped`
      if (byte < 0x80) i += 2
      else {
        const length = utf8Length(path, i, byte)
        if (length === 0) return 'its path holds an escaped byte sequence that is not UTF-8'
        i += 3 * length - 1
      }
    } else if (code > 0x7e || !IN_PATH[code]) return `its path holds ${printable(code)}, which is not to stand there`
  }
  return null
}

function isDots(path: string, start: number, length: number): boolean {
  if (length === 0 || length > 2 || path.charCodeAt(start) !== DOT) return false
  return length === 1 || path.charCodeAt(start + 1) === DOT
}

function faultOfQuery(query: string): string | null {
  for (let i = 1; i < query.length; i++) {
    const code = query.charCodeAt(i)
    if (code === PERCENT) {
      const byte = escaped(query, i)
      if (byte < 0) return 'its query has a "%" that two hexadecimal digits do not follow'
      if (byte === 0) return 'its query holds %00'
      i += 2
    } else if (code > 0x7e || !IN_QUERY[code]) return `its query holds ${printable(code)}, which is not to stand there`
  }
  // A name may stand twice: no rule looks at a query's values, and lists are commonly written so.
  for (const pair of query.slice(1).split('&')) {
    const equals = pair.indexOf('=')
    const name = decodedName(equals < 0 ? pair : pair.slice(0, equals))
    if (name === null) return 'its query has a name that cannot be read as UTF-8 once'
    if (CREDENTIAL_NAMES.has(plain(name)))
      return `its query carries a credential in ${JSON.stringify(name.slice(0, 40))}: send the key in a header`
    if (OVERRIDE_NAMES.has(name)) return `its query overrides the method with ${JSON.stringify(name)}`
  }
  return null
}

/** Query names under which some API takes a key, in lower case, letters and digits only. */
const CREDENTIAL_NAMES: ReadonlySet<string> = new Set([
  'key',
  'apikey',
  'xapikey',
  'xgoogapikey',
  'apitoken',
  'accesskey',
  'accesstoken',
  'oauthtoken',
  'authtoken',
  'idtoken',
  'bearertoken',
  'privatetoken',
  'sessiontoken',
  'token',
  'auth',
  'authorization',
  'proxyauthorization',
  'bearer',
  'jwt',
  'credential',
  'credentials',
  'secret',
  'clientsecret',
  'secretkey',
  'subscriptionkey',
  'password',
  'passwd',
])

/** Query names that make some servers take a request for one with another method. */
const OVERRIDE_NAMES: ReadonlySet<string> = new Set([
  '_method',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  '$httpmethod',
])

/** The name as a server would read it, in lower case; `null` when servers could disagree. Only ever compared. */
function decodedName(name: string): string | null {
  if (!name.includes('%')) return name.replaceAll('+', ' ').toLowerCase()
  try {
    const decoded = decodeURIComponent(name.replaceAll('+', ' ')).toLowerCase()
    return decoded.includes('%') ? null : decoded
  } catch {
    return null
  }
}

/** `API-Key`, `api.key` and `api_key[0]` are `apikey`. */
function plain(name: string): string {
  const bracket = name.indexOf('[')
  return (bracket > 0 ? name.slice(0, bracket) : name).replace(/[^a-z0-9]/g, '')
}

/** The byte that the escape at `at` stands for, or -1. */
function escaped(text: string, at: number): number {
  if (text.charCodeAt(at) !== PERCENT) return -1
  const high = hexDigit(text.charCodeAt(at + 1))
  const low = hexDigit(text.charCodeAt(at + 2))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/**
 * How many escapes from `at` on make one character of UTF-8 (RFC 3629, section 4); 0 when none do. Overlong forms are
 * how `.` and `/` are hidden from a check.
 */
function utf8Length(text: string, at: number, lead: number): number {
  const length =
    lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0
  if (length === 0) return 0
  const second = escaped(text, at + 3)
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < least || second > most) return 0
  for (let n = 2; n < length; n++) {
    const next = escaped(text, at + 3 * n)
    if (next < 0x80 || next > 0xbf) return 0
  }
  return length
}

const SLASH = 0x2f
const PERCENT = 0x25
const DOT = 0x2e

/** A table over the first 128 code units, 1 for those in the text. */
function table(characters: string): Uint8Array {
  const set = new Uint8Array(128)
  for (let i = 0; i < characters.length; i++) set[characters.charCodeAt(i)] = 1
  return set
}

const LETTERS_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
/** `pchar` and `/` (RFC 3986, section 3.3) without `;` and `=`, which some servers split at. */
const IN_PATH = table(`${LETTERS_AND_DIGITS}-._~!$&'()*+,:@/`)
/** As {@link IN_PATH}, and what real clients put into a query. `;` separates pairs for some servers. */
const IN_QUERY = table(`${LETTERS_AND_DIGITS}-._~!$&'()*+,:@/?=[]`)
/** What may be escaped in a path: what cannot stand there, but for controls, `%`, `;` and `\`. */
const NEEDS_ESCAPE = table(' "#<=>?[]^`{|}')

function printable(code: number): string {
  return code > 0x20 && code < 0x7f
    ? `"${String.fromCharCode(code)}"`
    : `the byte ${code.toString(16).padStart(2, '0')}`
}

function refused(fault: string): Refusal {
  return refusal('request_refused', `The request is refused: ${fault}.`)
}

/**
 * The path in the provider's own spelling. With the prefix `/openai/v1`, all of `/x`, `/v1/x`, `/openai/v1/x` and
 * `/openai/v1/v1/x` are `/openai/v1/x`. A path that is canonical stays as it is.
 */
export function canonicalPath(provider: Pick<Provider, 'prefix'>, path: string): string {
  const { prefix } = provider
  if (prefix === null) return path
  let rest = 0
  for (let found = prefixAt(path, rest, prefix); found > 0; found = prefixAt(path, rest, prefix)) rest += found
  return rest === prefix.length && path.startsWith(prefix) ? path : prefix + path.slice(rest)
}

/** The route as the data plane will see it: `POST /messages` is `POST /v1/messages` where the prefix is `/v1`. */
export function canonicalRoute(provider: Pick<Provider, 'prefix'>, { method, path }: Route): Route {
  return { method, path: canonicalPath(provider, path) }
}

/** How many characters of the path from `at` on are the prefix, or its last segments; 0 when none are. */
function prefixAt(path: string, at: number, prefix: string): number {
  for (let start = 0; start >= 0; start = prefix.indexOf('/', start + 1)) {
    const length = prefix.length - start
    const isWhole = path.length === at + length || path.charCodeAt(at + length) === SLASH
    if (isWhole && path.startsWith(start === 0 ? prefix : prefix.slice(start), at)) return length
  }
  return 0
}

/**
 * The model that a path names, as Gemini's do: `/v1beta/models/gemini-3-pro:generateContent`. One of the account's own
 * keeps its kind, `tunedModels/{name}`, so that a pattern for public models is none for it.
 *
 * @returns `null` when the path names none, or one that servers could read in two ways
 */
export function modelOfPath(path: string): string | null {
  const found = MODEL_IN_PATH.exec(path)
  if (!found) return null
  return found[1] === 'models' ? found[2]! : `${found[1]}/${found[2]}`
}

const MODEL_IN_PATH = /^\/v[0-9][a-z0-9]*\/(models|tunedModels)\/([A-Za-z0-9._~-]+)(?::[A-Za-z]+)?$/
