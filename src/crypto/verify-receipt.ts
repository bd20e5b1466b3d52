import { createPublicKey, verify } from 'node:crypto'
import { RECEIPT_TYPE } from './receipt-signer.ts'

const THREE_PARTS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** A JWK Set, as `GET /.well-known/jwks.json` answers it. */
export interface ReceiptKeys {
  readonly keys: readonly Readonly<Record<string, unknown>>[]
}

export type VerifiedReceipt =
  | { readonly kind: 'verified'; readonly kid: string; readonly payload: unknown }
  | { readonly kind: 'unverified'; readonly reason: string }

/**
 * Verifies a receipt's JWS without any network: its key is taken from the given set by `kid`, its algorithm is EdDSA.
 *
 * @param type the `typ` that is expected; a checkpoint is no receipt
 * @returns the payload that was signed, or in words why it does not verify
 */
export function verifyJws(jws: string, keySet: ReceiptKeys, type = RECEIPT_TYPE): VerifiedReceipt {
  if (!THREE_PARTS.test(jws))
    return unverified('expected a compact JWS: three parts of base64url with dots between them')
  const [header, payload, signature] = jws.split('.') as [string, string, string]
  if ([header, payload, signature].some((part) => Buffer.from(part, 'base64url').toString('base64url') !== part))
    return unverified('its base64url is not canonical')
  const { alg, kid, typ, crit } = parsed(header) ?? {}
  if (alg !== 'EdDSA' || typ !== type || typeof kid !== 'string' || crit !== undefined)
    return unverified(`expected a header with alg EdDSA, typ ${type}, and a kid`)
  const jwk = keySet.keys.find((key) => key['kid'] === kid)
  if (!jwk)
    return unverified('its kid is not among the given keys; fetch /.well-known/jwks.json of the broker that signed it')
  if (jwk['kty'] !== 'OKP' || jwk['crv'] !== 'Ed25519' || typeof jwk['x'] !== 'string')
    return unverified('the key of its kid is not an Ed25519 key')
  return signatureHolds(`${header}.${payload}`, signature, jwk['x'])
    ? { kind: 'verified', kid, payload: parsed(payload) }
    : unverified('its signature does not fit: it was changed, or signed by another broker')
}

function signatureHolds(input: string, signature: string, x: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    return verify(null, Buffer.from(input), key, Buffer.from(signature, 'base64url'))
  } catch {
    return false
  }
}

/** `null` for what is no JSON object. */
function parsed(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null
  } catch {
    return null
  }
}

const unverified = (reason: string): VerifiedReceipt => ({ kind: 'unverified', reason })
