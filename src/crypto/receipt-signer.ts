import sodium from 'libsodium-wrappers'
import type { Signer } from '#broker/ports.ts'
import { digest, randomBytes } from './digest.ts'
import type { Sealer } from './seal.ts'
import { type Records, sealedRecords } from './sealed-records.ts'

const RECORD = 'receipt-keys'
const SEED_BYTES = 32
/** The media type of a receipt's JWS, so that it passes for no other token that the same key might once sign. */
export const RECEIPT_TYPE = 'till-receipt+jwt'

interface SigningKey {
  readonly kid: string
  readonly publicKey: string
  readonly privateKey: Uint8Array
}

/**
 * Signs receipts and checkpoints with an Ed25519 key (RFC 8037) that is made at first start and kept sealed in the
 * ledger. Of several processes that start at the same time all get the key of the one that came first.
 *
 * The record is a row of 32-byte seeds. The first signs; all are published, so that receipts of a replaced key verify.
 *
 * @throws {SealError} when the stored keys do not open: the master key is another one
 */
export async function receiptSigner({
  ledger,
  seal,
}: {
  readonly ledger: Records
  readonly seal: Sealer
}): Promise<Signer> {
  await sodium.ready
  const keys = await signingKeys(sealedRecords(ledger, seal))
  const current = keys[0]!
  const published = keys.map(({ kid, publicKey: x }) => ({
    kty: 'OKP',
    crv: 'Ed25519',
    use: 'sig',
    alg: 'EdDSA',
    kid,
    x,
  }))
  return {
    async sign(payload, typ = RECEIPT_TYPE) {
      const input = `${encoded({ alg: 'EdDSA', kid: current.kid, typ })}.${encoded(payload)}`
      return `${input}.${base64url(sodium.crypto_sign_detached(input, current.privateKey))}`
    },
    publicKeys: () => ({ keys: published }),
  }
}

async function signingKeys(records: Records): Promise<readonly SigningKey[]> {
  let seeds = await records.readRecord(RECORD)
  if (!seeds) {
    const seed = randomBytes(SEED_BYTES)
    seeds = await records.createRecord(RECORD, seed)
    sodium.memzero(seed)
  }
  if (seeds.length === 0 || seeds.length % SEED_BYTES !== 0)
    throw new Error(`Cannot sign receipts: the record "${RECORD}" does not hold Ed25519 seeds.`)
  const keys: SigningKey[] = []
  for (let i = 0; i < seeds.length; i += SEED_BYTES) keys.push(signingKey(seeds.subarray(i, i + SEED_BYTES)))
  sodium.memzero(seeds)
  return keys
}

function signingKey(seed: Uint8Array): SigningKey {
  const pair = sodium.crypto_sign_seed_keypair(seed)
  const x = base64url(pair.publicKey)
  // RFC 7638: the members that make the key, in the order of their names.
  const kid = base64url(digest(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x })))
  return { kid, publicKey: x, privateKey: pair.privateKey }
}

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
