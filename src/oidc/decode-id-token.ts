import { strictJsonObject } from './strict-json.ts'

export const MOST_TOKEN_BYTES = 8 * 1024
const THREE_PARTS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const MOST_KID_LENGTH = 256
/** What would let a token bring its own key, or change how it is read (RFC 7515, section 4.1; RFC 7797). */
const REFUSED_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64'] as const

/** An ID token that is well formed. Nothing in it is true yet. */
export interface DecodedToken {
  /** A name to look a key up by, and nothing else. */
  readonly kid: string
  readonly payload: Readonly<Record<string, unknown>>
}

/**
 * Takes a compact JWS apart.
 *
 * @returns what is wrong with it, for the operator's log
 */
export function decodeIdToken(token: string): DecodedToken | 'size' | 'form' | 'header' | 'payload' {
  if (token.length > MOST_TOKEN_BYTES) return 'size'
  if (!THREE_PARTS.test(token)) return 'form'
  const parts = token.split('.').map((part) => Buffer.from(part, 'base64url'))
  // A decoder that ignores trailing bits reads several texts as one token; there is one text for each (RFC 4648, 3.5).
  if (parts.map((part) => part.toString('base64url')).join('.') !== token) return 'form'
  const header = strictJsonObject(parts[0]!)
  if (!header || !headerIsPlain(header)) return 'header'
  const payload = strictJsonObject(parts[1]!)
  return payload ? { kid: header['kid'], payload } : 'payload'
}

function headerIsPlain(
  header: Readonly<Record<string, unknown>>,
): header is Readonly<Record<string, unknown>> & { kid: string } {
  const has = (name: string) => Object.hasOwn(header, name)
  return (
    header['alg'] === 'RS256' &&
    (!has('typ') || header['typ'] === 'JWT') &&
    has('kid') &&
    typeof header['kid'] === 'string' &&
    header['kid'] !== '' &&
    header['kid'].length <= MOST_KID_LENGTH &&
    !REFUSED_HEADERS.some(has)
  )
}
