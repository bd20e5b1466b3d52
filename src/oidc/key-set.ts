import { type CryptoKey, importJWK } from 'jose'

export const MOST_KEYS = 100
const LEAST_MODULUS_BITS = 2048
/** Above this one verification costs milliseconds. */
const MOST_MODULUS_BITS = 8192
/** 65537, as every issuer of GitHub has it. */
const EXPONENT = 'AQAB'
const KID = /^[\x21-\x7e]{1,256}$/
const BASE64URL = /^[A-Za-z0-9_-]{1,2048}$/

/** What is kept of an issuer's JWK: what makes the key, and nothing that could choose another algorithm. */
export interface RsaKey {
  readonly kty: 'RSA'
  readonly kid: string
  readonly n: string
  readonly e: string
}

export type KeySetProblem = 'not_a_key_set' | 'too_many_keys' | 'no_usable_key'

/**
 * The RSA signing keys of a JWK Set (RFC 7517). Keys that cannot sign an ID token with RS256 are skipped; a `kid` that
 * stands twice is disabled, whatever the other key is.
 *
 * @returns why it is no key set for us, when it is none: over 100 keys are too many, whatever they are
 */
export function usableKeys(document: Readonly<Record<string, unknown>>): readonly RsaKey[] | KeySetProblem {
  const { keys } = document
  if (!Array.isArray(keys)) return 'not_a_key_set'
  if (keys.length > MOST_KEYS) return 'too_many_keys'
  const objects = keys.filter(isObject)
  const usable = objects
    .filter((key) => objects.filter((other) => other['kid'] === key['kid']).length === 1)
    .filter(isUsable)
    .map(({ kid, n }): RsaKey => ({ kty: 'RSA', kid, n, e: EXPONENT }))
  return usable.length === 0 ? 'no_usable_key' : usable
}

/** The key itself, bound to RS256 whatever a token's header says. */
export async function rs256Key(key: RsaKey): Promise<CryptoKey> {
  return (await importJWK({ ...key }, 'RS256')) as CryptoKey
}

function isUsable(key: Record<string, unknown>): key is Record<string, unknown> & { kid: string; n: string } {
  const { kty, kid, use, alg, key_ops: operations, n, e } = key
  return (
    kty === 'RSA' &&
    typeof kid === 'string' &&
    KID.test(kid) &&
    (use === undefined || use === 'sig') &&
    (alg === undefined || alg === 'RS256') &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify'))) &&
    e === EXPONENT &&
    typeof n === 'string' &&
    BASE64URL.test(n) &&
    modulusBits(n) >= LEAST_MODULUS_BITS &&
    modulusBits(n) <= MOST_MODULUS_BITS
  )
}

function modulusBits(n: string): number {
  const bytes = Buffer.from(n, 'base64url')
  const first = bytes.findIndex((byte) => byte !== 0)
  return first < 0 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first]!) - 24)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
