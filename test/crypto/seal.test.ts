import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { digest, randomBytes } from '#crypto/digest.ts'
import { SealError, type Sealer, sealer } from '#crypto/seal.ts'
import { sealedRecords } from '#crypto/sealed-records.ts'
import { recordsInMemory } from '#test/support/records-in-memory.ts'

const MASTER_KEY = Uint8Array.from({ length: 32 }, (_, i) => i)
const bytes = (text: string) => new TextEncoder().encode(text)

let seal: Sealer
beforeAll(async () => {
  seal = await sealer(MASTER_KEY)
})

describe('seal', () => {
  test('open gives what was sealed under the same name', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 4096 }), (name, plain) => {
        expect(seal.open(name, seal.seal(name, plain))).toEqual(plain)
      }),
    )
  })

  test('a change of any byte does not open', () => {
    const sealed = seal.seal('credential|openai', bytes('sk-live'))
    for (let i = 0; i < sealed.length; i++) {
      const changed = Uint8Array.from(sealed)
      changed[i]! ^= 0x80
      expect(() => seal.open('credential|openai', changed), `byte ${i}`).toThrow(SealError)
    }
  })

  test('a cut or a longer one does not open', () => {
    const sealed = seal.seal('a', bytes('sk-live'))
    for (let length = 0; length < sealed.length; length++)
      expect(() => seal.open('a', sealed.subarray(0, length))).toThrow(SealError)
    expect(() => seal.open('a', Uint8Array.of(...sealed, 0))).toThrow(SealError)
  })

  test('T37: a record opens under no other name', () => {
    const sealed = seal.seal('credential|openai|https://api.openai.com', bytes('sk-live'))
    for (const name of ['credential|openai|https://evil.example', 'credential|openai', '', 'till|v1|credential|openai'])
      expect(() => seal.open(name, sealed)).toThrow(SealError)
  })

  test('a wrapped key opens no other record: halves of two records do not fit', () => {
    const [one, other] = [seal.seal('a', bytes('one')), seal.seal('a', bytes('two'))]
    const wrappedKey = 1 + 24 + 32 + 16
    expect(() => seal.open('a', Uint8Array.of(...one.subarray(0, wrappedKey), ...other.subarray(wrappedKey)))).toThrow(
      SealError,
    )
  })

  test('a wrapped data key does not open as a record', () => {
    const sealed = seal.seal('a', bytes('one'))
    expect(() => seal.open('a|key', sealed)).toThrow(SealError)
  })

  test('P10: another master key opens nothing', async () => {
    const other = await sealer(MASTER_KEY.toReversed())
    expect(() => other.open('a', seal.seal('a', bytes('sk-live')))).toThrow(/master_key/)
  })

  test('the same record is never the same twice', () => {
    const sealed = Array.from({ length: 100 }, () => Buffer.from(seal.seal('a', bytes('b'))).toString('hex'))
    expect(new Set(sealed).size).toBe(100)
  })

  test('what was sealed by the first version opens', () => {
    const sealed = Buffer.from(VECTOR, 'base64')
    expect(new TextDecoder().decode(seal.open('vector', sealed))).toBe('a credential')
  })

  test.each([0, 16, 31, 33])('a master key of %i bytes is refused', async (length) => {
    await expect(sealer(new Uint8Array(length))).rejects.toThrow(SealError)
  })

  test('keeps its own copy of the master key, so that the caller can wipe its one', async () => {
    const given = Uint8Array.from(MASTER_KEY)
    const copied = await sealer(given)
    given.fill(0)
    expect(copied.open('a', seal.seal('a', bytes('b')))).toEqual(bytes('b'))
  })

  test('seals and opens nothing once it is wiped', async () => {
    const wiped = await sealer(MASTER_KEY)
    const sealed = wiped.seal('a', bytes('b'))
    wiped.wipe()
    expect(() => wiped.open('a', sealed)).toThrow(SealError)
    expect(() => wiped.seal('a', bytes('b'))).toThrow(SealError)
  })

  test('an error holds nothing of the record', () => {
    const sealed = seal.seal('a', bytes('sk-live-0123456789'))
    try {
      seal.open('b', sealed)
      expect.unreachable()
    } catch (error) {
      const shown = `${(error as Error).stack}${JSON.stringify(error)}${(error as Error).cause}`
      expect(shown).not.toContain('sk-live')
      expect(shown).not.toContain(Buffer.from(sealed).toString('base64').slice(10, 30))
    }
  })
})

/** Sealed by this code on the day it was written, under {@link MASTER_KEY}. What stands in databases must stay readable. */
const VECTOR =
  'ARodl4a8r/sihAupkEdyON9FMWBLsJS0agWbfS1K825ZuVxoOXrrM+Mu7D1vAi/xiefmuJ0fx//IdJDzHTBL518PCLMmxhEPD72enxVZuXgqztwW0Ac2tRf5N2GMM+XM8C1kaw6SdAUVA10DsoFE6fZw8/4m6xzxHKJJde0='

describe('sealed records', () => {
  test('are stored sealed and read open', async () => {
    const stored = recordsInMemory()
    const records = sealedRecords(stored, seal)
    await records.writeRecord('credential|openai', bytes('sk-live-0123456789'))
    expect(await records.readRecord('credential|openai')).toEqual(bytes('sk-live-0123456789'))
    expect(Buffer.from(stored.stored.get('credential|openai')!).toString('latin1')).not.toContain('sk-live')
  })

  test('T37: do not open when their rows were swapped', async () => {
    const stored = recordsInMemory()
    const records = sealedRecords(stored, seal)
    await records.writeRecord('credential|a', bytes('one'))
    stored.stored.set('credential|b', stored.stored.get('credential|a')!)
    await expect(records.readRecord('credential|b')).rejects.toThrow(SealError)
  })

  test('that are not there are null', async () => {
    expect(await sealedRecords(recordsInMemory(), seal).readRecord('a')).toBeNull()
  })

  test('created twice keep the first value, which both get', async () => {
    const records = sealedRecords(recordsInMemory(), seal)
    expect(await records.createRecord('a', bytes('first'))).toEqual(bytes('first'))
    expect(await records.createRecord('a', bytes('second'))).toEqual(bytes('first'))
  })
})

describe('digest', () => {
  test.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ])('of "%s" is SHA-256 (FIPS 180-4)', (text, hex) => {
    expect(Buffer.from(digest(text)).toString('hex')).toBe(hex)
    expect(Buffer.from(digest(bytes(text))).toString('hex')).toBe(hex)
  })
})

test('random bytes share no buffer with anything, so that wiping one wipes nothing else', () => {
  const random = randomBytes(32)
  expect(random).toHaveLength(32)
  expect(random.buffer.byteLength).toBe(32)
  expect(randomBytes(32)).not.toEqual(random)
})
