import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const THREATS = 56
const rows = readFileSync('docs/threats.md', 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [number, threat, mechanism, where, attacks] = line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, ''))
    return /^T[0-9]+$/.test(number ?? '')
      ? [{ number: number!, threat, mechanism, where: where!, attacks: attacks! }]
      : []
  })

test('docs/threats.md has every threat, once and in order', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: THREATS }, (_, n) => `T${n + 1}`))
})

describe.each(rows)('docs/threats.md: $number', ({ where, attacks }) => {
  test('stands where it says', () => {
    for (const [, path] of where.matchAll(/`([^`]+)`/g)) expect(existsSync(path!), path).toBe(true)
  })

  test('is attacked by the tests that it names, or says why by none', () => {
    const named = [...attacks.matchAll(/`(test\/[^`]+)` "(.*?)"(?=<br>|$)/g)]
    if (named.length === 0) expect(attacks).toMatch(/^none: /)
    for (const [, file, name] of named)
      expect(readFileSync(file!, 'utf8').includes(name!), `${file} has no "${name}"`).toBe(true)
  })
})
