import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import { SealError, type Sealer, sealer } from '#crypto/seal.ts'
import { sealedRecords } from '#crypto/sealed-records.ts'
import { verifyJws } from '#crypto/verify-receipt.ts'
import { recordsInMemory } from '#test/support/records-in-memory.ts'

const PAYLOAD = {
  key_id: 'k_1',
  policy: 'review',
  job: { repository: 'acme/wéb' },
  activations: { limit: 25, used: 3 },
}

let seal: Sealer
let ledger: ReturnType<typeof recordsInMemory>
beforeAll(async () => {
  seal = await sealer(new Uint8Array(32).fill(7))
})
beforeEach(() => {
  ledger = recordsInMemory()
})

const seeds = (...fill: number[]) => Buffer.concat(fill.map((byte) => Buffer.alloc(32, byte)))
const store = (record: Uint8Array) => sealedRecords(ledger, seal).writeRecord('receipt-keys', record)

describe('a receipt', () => {
  test('is a JWS that another implementation verifies with the published keys', async () => {
    const signer = await receiptSigner({ ledger, seal })
    const keys = signer.publicKeys() as unknown as JSONWebKeySet
    const { payload, protectedHeader } = await compactVerify(await signer.sign(PAYLOAD), createLocalJWKSet(keys))
    expect(JSON.parse(new TextDecoder().decode(payload))).toEqual(PAYLOAD)
    expect(protectedHeader).toEqual({ alg: 'EdDSA', kid: keys.keys[0]!.kid, typ: 'till-receipt+jwt' })
  })

  test('is signed by the key of RFC 8037, appendix A, as printed there', async () => {
    await store(Buffer.from('nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', 'base64url'))
    const { keys } = (await receiptSigner({ ledger, seal })).publicKeys()
    expect(keys).toEqual([
      {
        kty: 'OKP',
        crv: 'Ed25519',
        use: 'sig',
        alg: 'EdDSA',
        kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
        x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
      },
    ])
  })
})

describe('the signing key', () => {
  test('is made once and found at the next start', async () => {
    const first = await receiptSigner({ ledger, seal })
    const second = await receiptSigner({ ledger, seal })
    expect(second.publicKeys()).toEqual(first.publicKeys())
    expect(verifyJws(await second.sign(PAYLOAD), first.publicKeys())).toMatchObject({ kind: 'verified' })
  })

  test('is one for ten processes that start at the same time', async () => {
    const signers = await Promise.all(Array.from({ length: 10 }, () => receiptSigner({ ledger, seal })))
    expect(new Set(signers.map((signer) => JSON.stringify(signer.publicKeys()))).size).toBe(1)
  })

  test('is nowhere in the record as it is', async () => {
    await store(seeds(9))
    expect(Buffer.from(ledger.stored.get('receipt-keys')!).includes(Buffer.alloc(8, 9))).toBe(false)
  })

  test('may have been replaced: the first signs, and receipts of the others still verify', async () => {
    await store(seeds(1))
    const before = await (await receiptSigner({ ledger, seal })).sign(PAYLOAD)
    await store(seeds(2, 1))
    const signer = await receiptSigner({ ledger, seal })
    expect(signer.publicKeys().keys).toHaveLength(2)
    expect(verifyJws(before, signer.publicKeys())).toMatchObject({ kind: 'verified' })
    expect(verifyJws(await signer.sign(PAYLOAD), { keys: signer.publicKeys().keys.slice(0, 1) })).toMatchObject({
      kind: 'verified',
    })
  })

  test('under another master key stops the start', async () => {
    await receiptSigner({ ledger, seal })
    await expect(receiptSigner({ ledger, seal: await sealer(new Uint8Array(32)) })).rejects.toThrow(SealError)
  })

  test.each([0, 31, 33, 63])('of a record of %i bytes stops the start', async (length) => {
    await store(Buffer.alloc(length))
    await expect(receiptSigner({ ledger, seal })).rejects.toThrow(/receipt-keys/)
  })
})

describe('verifyJws', () => {
  const signed = async () => {
    const signer = await receiptSigner({ ledger, seal })
    return { jws: await signer.sign(PAYLOAD), keys: signer.publicKeys() }
  }
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

  test('gives the payload and the kid', async () => {
    const { jws, keys } = await signed()
    expect(verifyJws(jws, keys)).toEqual({ kind: 'verified', kid: keys.keys[0]!['kid'], payload: PAYLOAD })
  })

  test('says no to a change of any character', async () => {
    const { jws, keys } = await signed()
    for (let i = 0; i < jws.length; i++) {
      const changed = jws.slice(0, i) + (jws[i] === 'A' ? 'B' : 'A') + jws.slice(i + 1)
      expect(verifyJws(changed, keys), `character ${i}`).toMatchObject({ kind: 'unverified' })
    }
  })

  test('says no to another text for the same signature', async () => {
    const { jws, keys } = await signed()
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const trailingBits = jws.slice(0, -1) + digits[digits.indexOf(jws.at(-1)!) + 1]
    expect(Buffer.from(trailingBits.split('.')[2]!, 'base64url')).toEqual(Buffer.from(jws.split('.')[2]!, 'base64url'))
    expect(verifyJws(trailingBits, keys)).toMatchObject({ kind: 'unverified' })
  })

  test('takes the key from the given set only, by kid', async () => {
    const { jws } = await signed()
    ledger = recordsInMemory()
    const { keys } = await signed()
    expect(verifyJws(jws, keys)).toMatchObject({ kind: 'unverified', reason: expect.stringContaining('kid') })
    const renamed = { keys: [{ ...keys.keys[0]!, kid: JSON.parse(atob(jws.split('.')[0]!)).kid }] }
    expect(verifyJws(jws, renamed)).toMatchObject({ kind: 'unverified', reason: expect.stringContaining('signature') })
  })

  test.each<[string, object]>([
    ['alg none', { alg: 'none' }],
    ['another alg', { alg: 'HS256' }],
    ['another type', { typ: 'JWT' }],
    ['no type', { typ: undefined }],
    ['crit', { crit: ['exp'] }],
    ['no kid', { kid: undefined }],
  ])('says no to a header with %s', async (_, change) => {
    const { jws, keys } = await signed()
    const [header, payload, signature] = jws.split('.') as [string, string, string]
    const changed = encoded({ ...JSON.parse(atob(header)), ...change })
    expect(verifyJws(`${changed}.${payload}.${signature}`, keys)).toMatchObject({
      reason: expect.stringContaining('header'),
    })
  })

  test.each(['', 'a.b', 'a.b.c.d', '..', 'é.b.c', '{}', 'bnVsbA.bnVsbA.AAAA', '\n'])('says no to %j', async (text) => {
    const { keys } = await signed()
    expect(verifyJws(text, keys)).toMatchObject({ kind: 'unverified' })
  })

  test('says no to a key that is no Ed25519 key', async () => {
    const { jws, keys } = await signed()
    for (const change of [{ kty: 'EC' }, { crv: 'Ed448' }, { x: undefined }, { x: 'AA' }])
      expect(verifyJws(jws, { keys: [{ ...keys.keys[0]!, ...change }] })).toMatchObject({ kind: 'unverified' })
  })
})
