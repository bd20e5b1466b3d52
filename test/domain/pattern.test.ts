import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { covers, matches } from '#domain/pattern.ts'

describe('matches()', () => {
  test.each<[string, string, boolean]>([
    ['refs/heads/main', 'refs/heads/main', true],
    ['refs/heads/main', 'refs/heads/Main', false],
    ['refs/heads/main', 'refs/heads/main/', false],
    ['', '', true],
    ['*', 'anything', true],
    ['*', '', false],
    ['*', 'a/b', false],
    ['refs/heads/*', 'refs/heads/main', true],
    ['refs/heads/*', 'refs/heads/', false],
    ['refs/heads/*', 'refs/heads/a/b', false],
    ['refs/heads/*', 'xrefs/heads/a', false],
    ['claude-haiku-*', 'claude-haiku-4-5', true],
    ['claude-haiku-*', 'claude-haiku-', true],
    ['claude-haiku-*', 'claude-opus-4', false],
    ['a*c*e', 'abcde', true],
    ['a*c*e', 'ace', true],
    ['a*c*e', 'aec', false],
    ['aba*aba', 'aba', false],
    ['*.*.*', '1.2', false],
    ['*aabaaaa*', 'aabaaabaaaa', true],
    ['*bbabbbb*', 'bbabbbabbbb', true],
    ['/v1/**', '/v1/a', true],
    ['/v1/**', '/v1/a/b/c', true],
    ['/v1/**', '/v1/', false],
    ['/v1/**', '/v1', false],
    ['/v1/**', '/v1/a//b', false],
    ['/v1/**', '/v1/a/', false],
    ['/v1/**', '/v2/a', false],
    ['**', 'a/b', true],
    ['**', '', false],
    ['a/**/c', 'a//c', false],
    ['/*/b', '//b', false],
    ['gpt-5.1', 'gpt-5x1', false],
    ['(a+)+$', 'aaaa', false],
  ])('%j on %j is %j', (pattern, value, expected) => {
    expect(matches(pattern, value)).toBe(expected)
  })

  test('takes time linear in both: a search that tries again would not end', () => {
    const run = 'a'.repeat(300_000)
    expect(matches(`*${run}b*`, run + run)).toBe(false)
    expect(matches(`${'*a'.repeat(1000)}*b`, 'a'.repeat(100_000))).toBe(false)
  })
})

/** Few letters, so that patterns and values meet often. */
const value = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 })
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*'), maxLength: 8 })
const RUNS = { numRuns: 20_000 }

test('a pattern says of a value what the regular expression it stands for says', () => {
  const segment = (text: string) =>
    /^\*+$/.test(text)
      ? '[^/]+'
      : text
          .split('*')
          .map((piece) => piece.replace(/\W/g, '\\$&'))
          .join('[^/]*')
  const regExp = (text: string) => {
    const segments = text.split('/')
    const isOpen = segments.at(-1) === '**'
    const rest = isOpen ? ['[^/]+(?:/[^/]+)*'] : []
    return new RegExp(`^${[...segments.slice(0, isOpen ? -1 : undefined).map(segment), ...rest].join('/')}$`)
  }
  fc.assert(
    fc.property(pattern, value, (wanted, given) => {
      expect(matches(wanted, given)).toBe(regExp(wanted).test(given))
    }),
    RUNS,
  )
})

test('what stands between two stars is found wherever it is', () => {
  const letters = (maxLength: number) => fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength })
  fc.assert(
    fc.property(letters(7), letters(30), (piece, text) => {
      expect(matches(`*${piece}*`, text)).toBe(text.includes(piece))
    }),
    RUNS,
  )
})

describe('covers()', () => {
  test.each<[string, string, boolean]>([
    ['claude-*', 'claude-haiku-*', true],
    ['claude-haiku-*', 'claude-*', false],
    ['*', 'gpt-*', true],
    ['*', '*', true],
    ['*a*', 'a*', true],
    ['a*', '*a', false],
    ['*', '**', false],
    ['**', '*', true],
    ['/v1/**', '/v1/models/*', true],
    ['/v1/**', '/v1/models/**', true],
    ['/v1/**', '/v1/**', true],
    ['/v1/*', '/v1/**', false],
    ['/v1/*/**', '/v1/**', false],
    ['/v1/**', '/v1/*/', false],
    ['/v1/*', '/v1/models', true],
    ['/v1/models', '/v1/*', false],
    ['/v1/models/*:generateContent', '/v1/models/gemini-*:generateContent', true],
  ])('%j, %j is %j', (wide, narrow, expected) => {
    expect(covers(wide, narrow)).toBe(expected)
  })

  test('is never said where one value is of the narrow pattern and not of the wide one', () => {
    // Wider by stars put in the place of letters, so that covering is common; values made from the narrow one.
    const pair = fc
      .tuple(pattern, fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 3 }), pattern)
      .map(([narrow, at, length, other]) => ({ narrow, wide: at === 8 ? other : splice(narrow, at, length) }))
    const splice = (text: string, at: number, length: number) => `${text.slice(0, at)}*${text.slice(at + length)}`
    const filling = fc.array(fc.constantFrom('', 'a', 'b', 'ab', '/', 'a/b'), { minLength: 4, maxLength: 4 })
    let compared = 0
    fc.assert(
      fc.property(pair, filling, ({ wide, narrow }, pieces) => {
        let next = 0
        const given = narrow.replace(/\*\*?/g, () => pieces[next++ % pieces.length]!)
        if (!covers(wide, narrow) || !matches(narrow, given)) return
        compared++
        expect(matches(wide, given)).toBe(true)
      }),
      RUNS,
    )
    expect(compared).toBeGreaterThan(1000)
  })

  test('is reflexive, and transitive', () => {
    fc.assert(
      fc.property(pattern, pattern, pattern, (a, b, c) => {
        expect(covers(a, a)).toBe(true)
        if (covers(a, b) && covers(b, c)) expect(covers(a, c)).toBe(true)
      }),
      RUNS,
    )
  })

  test('says of a plain value what matches() says', () => {
    fc.assert(
      fc.property(pattern, value, (wide, given) => {
        expect(covers(wide, given)).toBe(matches(wide, given))
      }),
      RUNS,
    )
  })
})
