import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HEADER_VALUE, isHeaderValue } from '#domain/headers.ts'

test('isHeaderValue() is what HEADER_VALUE says, of every character and every text', () => {
  for (let code = 0; code < 0x10000; code++) {
    const text = `a${String.fromCharCode(code)}`
    expect(isHeaderValue(text)).toBe(HEADER_VALUE.test(text))
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => isHeaderValue(text) === HEADER_VALUE.test(text)))
})
