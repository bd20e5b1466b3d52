import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ModelInBody, modelInBody } from '#domain/json-body.ts'
import { near } from '#test/fuzz/mutate.ts'

const NOT_JSON = 'it is not one JSON object'
const LONG = 'a'.repeat(40)

/** What must be said of a text within the limits, read by JSON.parse; no fault where any will do. */
function saidByParse(text: string): { kind: ModelInBody['kind']; model?: string; isObject: boolean } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'refused', isObject: false }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { kind: 'refused', isObject: false }
  const model: unknown = Object.hasOwn(value, 'model') ? (value as { model: unknown }).model : null
  const names = namesIn(text)
  const folded = names.map((name) => name.toUpperCase().toLowerCase())
  const isClear =
    new Set(names).size === names.length &&
    folded.filter((name) => name === 'model').length === 1 &&
    !folded.includes('models') &&
    !folded.includes('preset')
  return typeof model === 'string' && model !== '' && model.length <= 256 && isClear
    ? { kind: 'model', model, isObject: true }
    : { kind: 'refused', isObject: true }
}

/** The names of the outermost object of a text that is JSON. */
function namesIn(text: string): string[] {
  const names: string[] = []
  let depth = 0
  for (const [token, string, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*(:?)|[{}[\]]/gs)) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && colon === ':') names.push(JSON.parse(string!))
  }
  return names
}

function expectAgreement(text: string): void {
  const said = saidByParse(text)
  const found = modelInBody(text)
  expect(found.kind).toBe(said.kind)
  if (found.kind === 'model') expect(found.model).toBe(said.model)
  else if (said.isObject) expect(found.fault).not.toBe(NOT_JSON)
}

const weighted = (good: readonly string[], bad: readonly string[]) =>
  fc.oneof({ weight: 60, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...bad) })

const space = weighted(['', '', '', ' ', '\n', '\t', '\r\n  '], ['\v', '\f', '\u00a0', '\ufeff', '\u2028', '\0'])
const piece = weighted(
  ['a', ' ', '\u007f', '\u0085', '\u00e9', '\u2028', '\u0449', '\ud83d\ude00', '\ud800', LONG, "'", '{', ']', ',', ':']
    .concat(['\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t'])
    .concat(['\\u0041', '\\u00e9', '\\uD83D\\uDE00', '\\udfff', '\\u0000', '\\uaBcF']),
  ['\n', '\t', '\0', '\x0f', '\x10', '\x1f', '"', '\\', '\\a', '\\u', '\\u12', '\\u00g0', '\\U0041', '\\x41', '\\\n'],
)
const string = fc.array(piece, { maxLength: 8 }).map((pieces) => `"${pieces.join('')}"`)
const scalar = fc.oneof(
  weighted(
    ['0', '-0', '1', '-12', '1.5', '0.0', '1e5', '1E+5', '10e-05', '1e999', '9'.repeat(30), 'true', 'false', 'null'],
    [
      '01',
      '-01',
      '-',
      '1.',
      '1.e5',
      '.5',
      '+1',
      '1e',
      '1e+',
      '1_0',
      '0x1',
      '1n',
      '--1',
      'NaN',
      'Infinity',
      '\u0661',
    ].concat(['True', 'tru', 'truee', 'nul', 'undefined', "'a'", '']),
  ),
  string,
)
const spaced = (parts: fc.Arbitrary<string>) => fc.tuple(space, parts, space).map((pieces) => pieces.join(''))
const list = (items: fc.Arbitrary<string>) => fc.array(items, { maxLength: 4 }).map((all) => `[${all.join()}]`)
const members = (values: fc.Arbitrary<string>) =>
  fc.array(
    fc.tuple(spaced(string), values).map((pair) => pair.join(':')),
    { maxLength: 4 },
  )
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: spaced(
    fc.oneof(
      { maxDepth: 4 },
      scalar,
      list(tie('value')),
      members(tie('value')).map((all) => `{${all.join()}}`),
    ),
  ),
}))
const model = fc
  .tuple(fc.constantFrom('model', 'mod\\u0065l'), fc.oneof(fc.constant('"m"'), string))
  .map(([name, text]) => `"${name}":${text}`)
const body = spaced(fc.tuple(model, members(value)).map(([first, rest]) => `{${[...rest, first].join()}}`))

test('T21: what is said of any JSON, and of what is JSON but for one token, is what JSON.parse says', () => {
  let models = 0
  const runs = 3000
  fc.assert(
    fc.property(body, (text) => {
      expectAgreement(text)
      if (modelInBody(text).kind === 'model') models++
    }),
    { numRuns: runs },
  )
  // Both answers are common among these texts, or the law would say little.
  expect(models).toBeGreaterThan(runs / 4)
  expect(models).toBeLessThan(runs * 0.9)
})

const corpus = [
  '{"model":"gpt-5","input":"x"}',
  ` {"a":[1,-0.5e+3,true,null,{"b":"${LONG}\\n\\u00e9${LONG}"}], "model":"m\\/1" }\n`,
  `{"x":{"y":[[],{}]},"model":"m","z":"\\\\","\u0449":"\\"${LONG}"}`,
]

test('T21: what is said of JSON that was mutated, cut off or run together is what JSON.parse says', () => {
  const pieces = ['"model":"n",', '\\u006d', '\\"', '\ufeff', '\u2028', '\u0449', LONG, '-', '0', '.', 'e', 'true']
  fc.assert(fc.property(near(corpus, pieces), expectAgreement), { numRuns: 3000 })
  for (const text of corpus) {
    for (let end = 0; end <= text.length; end++) expectAgreement(text.slice(0, end))
    for (const next of corpus) expectAgreement(text + next)
  }
})

test('T21: what is said of JSON with a token too many, too few or another, anywhere, is what JSON.parse says', () => {
  const pieces = ['', '{', '}', '[', ']', ',', ':', '"', '0', ' ', '{}', ',{}', ',[]', ',"x"', ':0', '"x":0,']
  for (const text of corpus) {
    for (let i = 0; i <= text.length; i++) {
      for (const piece of pieces) {
        expectAgreement(text.slice(0, i) + piece + text.slice(i))
        expectAgreement(text.slice(0, i) + piece + text.slice(i + 1))
      }
    }
  }
})

test('T21: each character is taken where JSON.parse takes it, in short strings and long, in wide texts and narrow', () => {
  const places = ['"', '\\"', `${LONG}"`, '\u0449"', `\u0449${LONG}"`, `\\n${LONG}"`]
  for (let code = 0; code < 0x180; code++) {
    const letter = String.fromCharCode(code)
    for (const before of ['', LONG, `\\t${LONG}`, `${LONG}\\`, '\\', '\\u00', `\\n${LONG}\\u00a`])
      for (const behind of places) expectAgreement(`{"x":"${before}${letter}${behind},"model":"m"}`)
    for (const value of ['1', '0', '-', '1.', '1e', 'tru', '""', '[]', ''])
      for (const text of [`${value}${letter}`, `${letter}${value}`]) expectAgreement(`{"model":"m","x":${text}}`)
    for (const text of [`${letter}{"model":"m"}`, `{"model":"m"}${letter}`, `{${letter}"model":"m"}`])
      expectAgreement(text)
  }
})

test('T21: quotes, backslashes and control characters in any order end a string where JSON.parse does', () => {
  const unit = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom('\\"', '\\\\', '\\n', 'a', LONG, '","', '":"', '\\u0022', '\u0449') },
    { weight: 1, arbitrary: fc.constantFrom('\\', '"', '\n', '\x1f') },
  )
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 20 }), (text) => expectAgreement(`{"model":"m","x":"${text}"}`)),
    { numRuns: 2000 },
  )
})

test('T21: a name is taken for another way to choose a model if, and only if, folding says so', () => {
  const unit = fc.constantFrom(...'modelspretMODELSPRET\u017f\u00df\ufb06\u0130\u212a')
  const choices = ['model', 'models', 'preset'].flatMap((name) => [
    name,
    name.toUpperCase(),
    name.replace('s', '\u017f'),
  ])
  const name = fc.oneof(fc.constantFrom('', ...choices), fc.string({ unit, maxLength: 7 }))
  fc.assert(
    fc.property(name, (other) => expectAgreement(JSON.stringify({ x: 1, [other]: 'm' }).replace('}', ',"model":"m"}'))),
    { numRuns: 2000 },
  )
})
