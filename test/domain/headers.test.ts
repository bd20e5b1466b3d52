import fc from 'fast-check'
import { expect, test } from 'vitest'
import { announcedBytes, HEADER_VALUE, isHeaderValue } from '#domain/headers.ts'

test('isHeaderValue() is what HEADER_VALUE says, of every character and every text', () => {
  for (let code = 0; code < 0x10000; code++) {
    const text = `a${String.fromCharCode(code)}`
    expect(isHeaderValue(text)).toBe(HEADER_VALUE.test(text))
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => isHeaderValue(text) === HEADER_VALUE.test(text)))
})

test('announcedBytes() takes 1 to 15 digits and nothing else', () => {
  for (const [text, bytes] of [
    ['0', 0],
    ['007', 7],
    ['999999999999999', 999_999_999_999_999],
  ] as const)
    expect(announcedBytes(text)).toBe(bytes)
  for (const text of ['', ' 1', '1 ', '+1', '-1', '1.0', '1e3', '0x1', '1,1', '1\n', '/', ':', '٣', '1000000000000000'])
    expect([text, announcedBytes(text)]).toEqual([text, null])
})
