import fc from 'fast-check'
import { expect, test } from 'vitest'
import { printable } from '#action/printable.ts'

test('printable() leaves plain text alone', () => {
  expect(printable('policy "review" does not allow event_name: push #[1] 30%')).toBe(
    'policy "review" does not allow event_name: push #[1] 30%',
  )
})

test.each([
  ['::error::x', ': :error: :x'],
  [':::', ': : :'],
  ['a ##[error]b', 'a ## [error]b'],
  ['###[', '### ['],
  ['a\nb', 'a\ufffdb'],
  ['\u001b[31m', '\ufffd[31m'],
  ['a\u202eb', 'a\ufffdb'],
  ['a\u061cb', 'a\ufffdb'],
  ['a\u{e0041}\u{e0042}b', 'a\ufffd\ufffdb'],
])('printable(%j) is %j', (text, expected) => {
  expect(printable(text)).toBe(expected)
})

test('printable() gives one line without commands, well-formed and cut, whatever it gets', () => {
  const nasty = fc.string({
    unit: fc.constantFrom(':', '#', '[', '\n', '\r', '\u0000', '\ud800', '\u200b', 'a', '😀'),
  })
  fc.assert(
    fc.property(fc.oneof(nasty, fc.string({ unit: 'binary' })), fc.integer({ min: 1, max: 30 }), (text, most) => {
      const line = printable(text, most)
      expect(line).not.toMatch(/::|##\[|[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
      expect(line.length).toBeLessThanOrEqual(most)
      expect(line.isWellFormed()).toBe(true)
    }),
  )
})
