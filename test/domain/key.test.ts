import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatKey, formatKeyId, isKey, KEY_BYTES, KEY_ID } from '#domain/key.ts'
import vectors from '../vectors/keys.json' with { type: 'json' }

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))
const random = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

test.each(vectors.keys)('the key of $random', ({ random, key }) => {
  expect(formatKey(bytes(random))).toBe(key)
  expect(isKey(key)).toBe(true)
})

test.each(vectors.ids)('the key id of $random', ({ random, id }) => {
  expect(formatKeyId(bytes(random))).toBe(id)
  expect(id).toMatch(KEY_ID)
})

describe('a key', () => {
  test('is till_ and base62, at most 80 characters, of 256 bits', () => {
    fc.assert(
      fc.property(random(KEY_BYTES), (random) => {
        const key = formatKey(random)
        expect(key).toMatch(/^till_[0-9A-Za-z]+$/)
        expect(key.length).toBeLessThanOrEqual(80)
        expect(isKey(key)).toBe(true)
      }),
    )
    expect(KEY_BYTES * 8).toBeGreaterThanOrEqual(160)
  })

  test('differs when one random bit does', () => {
    fc.assert(
      fc.property(random(KEY_BYTES), fc.nat(KEY_BYTES * 8 - 1), (random, bit) => {
        const other = random.slice()
        other[bit >> 3]! ^= 1 << (bit & 7)
        expect(formatKey(other).slice(5, 48)).not.toBe(formatKey(random).slice(5, 48))
      }),
    )
  })

  test('is none with any one character replaced', () => {
    const key = vectors.keys[2]!.key
    for (let i = 0; i < key.length; i++)
      for (const digit of BASE62)
        if (digit !== key[i]) expect(isKey(key.slice(0, i) + digit + key.slice(i + 1))).toBe(false)
  })

  test('is none with two neighbours swapped, one left out or one too many', () => {
    fc.assert(
      fc.property(random(KEY_BYTES), fc.nat(52), fc.constantFrom(...BASE62), (random, at, digit) => {
        const key = formatKey(random)
        const swapped = key.slice(0, at) + key[at + 1] + key[at] + key.slice(at + 2)
        if (swapped !== key) expect(isKey(swapped)).toBe(false)
        expect(isKey(key.slice(0, at) + key.slice(at + 1))).toBe(false)
        expect(isKey(key.slice(0, at) + digit + key.slice(at))).toBe(false)
      }),
    )
  })

  test.each(['', 'till_', ' ', 'sk-abc', `${vectors.keys[0]!.key}\n`, ` ${vectors.keys[0]!.key}`, 'TILL_0'])(
    '%j is none',
    (text) => {
      expect(isKey(text)).toBe(false)
    },
  )

  test('is not made from too little randomness', () => {
    expect(() => formatKey(new Uint8Array(31))).toThrow(RangeError)
    expect(() => formatKeyId(new Uint8Array(15))).toThrow(RangeError)
  })
})
