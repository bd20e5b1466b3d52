import { strictJsonObject } from '#domain/strict-json.ts'

export const MOST_TOKEN_BYTES = 8 * 1024
const THREE_PARTS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const MOST_KID_LENGTH = 256
/** What would let a token bring its own key, or change how it is read (RFC 7515, section 4.1; RFC 7797). */
const REFUSED_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64'] as const

type Header = Readonly<Record<string, unknown>>

export type FormObjection = 'size' | 'form' | 'header' | 'payload' | keyof typeof headerObjections

/** What a header must not be. The algorithm is fixed here and again where the key is used. */
const headerObjections = {
  alg: ({ alg }) => alg !== 'RS256',
  typ: (header) => Object.hasOwn(header, 'typ') && header['typ'] !== 'JWT',
  kid: ({ kid }) => typeof kid !== 'string' || kid === '' || kid.length > MOST_KID_LENGTH,
  refused_header: (header) => REFUSED_HEADERS.some((name) => Object.hasOwn(header, name)),
} satisfies Record<string, (header: Header) => boolean>

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
export function decodeIdToken(token: string): DecodedToken | FormObjection {
  if (token.length > MOST_TOKEN_BYTES) return 'size'
  if (!THREE_PARTS.test(token)) return 'form'
  const parts = token.split('.').map((part) => Buffer.from(part, 'base64url'))
  // A decoder that ignores trailing bits reads several texts as one token; there is one text for each (RFC 4648, 3.5).
  if (parts.map((part) => part.toString('base64url')).join('.') !== token) return 'form'
  const header = strictJsonObject(parts[0]!)
  if (!header) return 'header'
  for (const [name, objects] of Object.entries(headerObjections))
    if (objects(header)) return name as keyof typeof headerObjections
  const payload = strictJsonObject(parts[1]!)
  return payload ? { kid: header['kid'] as string, payload } : 'payload'
}
