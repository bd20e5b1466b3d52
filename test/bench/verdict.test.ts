import { expect, test } from 'vitest'
import { verdict } from '../../bench/verdict.ts'

test.each([
  ['more than both, where more is better', 0.4, { unit: '×', floor: 0.2, aim: 0.35 }, 'aim'],
  ['between them', 0.3, { unit: '×', floor: 0.2, aim: 0.35 }, 'floor'],
  ['less than both', 0.1, { unit: '×', floor: 0.2, aim: 0.35 }, 'below'],
  ['less than both, where less is better', 100, { unit: 'µs', floor: 4000, aim: 2000 }, 'aim'],
  ['the aim alone, where the floor is stricter', 450, { unit: 'µs', floor: 249, aim: 500 }, 'below'],
  ['both, where the floor is stricter', 200, { unit: 'µs', floor: 249, aim: 500 }, 'aim'],
  ['a figure without bars', 1, { unit: '×', floor: 0, aim: 0 }, ''],
] as const)('the verdict of the bench on %s', (_, value, bars, expected) => {
  expect(verdict(value, bars)).toBe(expected)
})
