import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as nodeSign,
} from 'node:crypto'

/** A key pair of an issuer, with its JWK as it would be published. */
export interface SigningKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly jwk: Record<string, unknown>
}

export function rsaKey(kid: string, bits = 2048): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' } }
}

export const base64url = (text: string | Uint8Array) => Buffer.from(text as string).toString('base64url')

/** A compact JWS of exactly these texts, signed as `alg` says, whatever the header says. */
export function compact(header: string, payload: string, key: SigningKey, alg: keyof typeof signers = 'RS256'): string {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${base64url(signers[alg](Buffer.from(input), key))}`
}

const signers = {
  none: () => Buffer.alloc(0),
  RS256: (input: Buffer, key: SigningKey) => nodeSign('sha256', input, key.privateKey),
  RS384: (input: Buffer, key: SigningKey) => nodeSign('sha384', input, key.privateKey),
  PS256: (input: Buffer, key: SigningKey) =>
    nodeSign('sha256', input, { key: key.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
  /** The public key as everybody can read it, taken for a shared secret. */
  HS256: (input: Buffer, key: SigningKey) =>
    createHmac('sha256', createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' }))
      .update(input)
      .digest(),
}
