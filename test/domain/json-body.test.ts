import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JSON_TYPE, MAX_JSON_DEPTH, MAX_MEMBERS, MAX_PARTS, modelInBody } from '#domain/json-body.ts'

const nested = (depth: number) => `{"model":"m","x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`

test.each([
  ['plain', '{"model":"m"}', 'm'],
  ['after other members', '{"a":{"model":"no","b":[1,{"model":"no"}]},"model":"m"}', 'm'],
  ['with white space', ' \n\t{ "model" : "m" , "a" : 1 }\r\n', 'm'],
  ['with an escaped name', '{"mo\\u0064el":"m"}', 'm'],
  ['with an escaped value', '{"model":"\\u006d\\/1"}', 'm/1'],
  ['with every character escaped, at its longest', `{"model":"${'\\u006d'.repeat(256)}"}`, 'm'.repeat(256)],
  ['beside a text that looks like a member', '{"a":"\\",\\"model\\":\\"no\\"","model":"m"}', 'm'],
  ['beside a text that ends in backslashes', '{"a":"\\\\","model":"m","b":"\\\\\\""}', 'm'],
  ['beside a member named __proto__', '{"__proto__":{"model":"no"},"model":"m"}', 'm'],
  ['at the deepest nesting', nested(MAX_JSON_DEPTH), 'm'],
])('T21: the model is found %s', (_name, text, model) => {
  expect(modelInBody(text)).toEqual({ kind: 'model', model })
})

test.each([
  ['twice', '{"model":"a","model":"b"}'],
  ['twice, once escaped', '{"model":"a","mod\\u0065l":"b"}'],
  ['in another case', '{"Model":"b","model":"a"}'],
  ['only in another case', '{"MODEL":"b"}'],
  ['beside another member that stands twice', '{"model":"a","x":1,"x":2}'],
  ['as a number', '{"model":1}'],
  ['as null', '{"model":null}'],
  ['as a list', '{"model":["a"]}'],
  ['as an empty text', '{"model":""}'],
  ['as a text of 257 characters', `{"model":"${'m'.repeat(257)}"}`],
  ['nowhere', '{}'],
  ['only deeper', '{"a":{"model":"m"}}'],
  ['only in the prototype', '{"__proto__":{"model":"m"}}'],
  ['in a list', '[{"model":"m"}]'],
  ['in a text', '"model"'],
  ['in an empty body', ''],
  ['behind a byte order mark', '\ufeff{"model":"m"}'],
  ['in JSON with a comment', '{"model":"m"/*x*/}'],
  ['in JSON with a trailing comma', '{"model":"m",}'],
  ['in two documents', '{"model":"m"}{"model":"n"}'],
  ['in JSON that breaks off', '{"model":"m'],
  ['with a raw line feed', '{"model":"m\n"}'],
  ['with single quotes', "{'model':'m'}"],
  ['too deep', nested(MAX_JSON_DEPTH + 1)],
])('T21: a model %s is refused', (_name, text) => {
  expect(modelInBody(text).kind).toBe('refused')
})

test.each(['[{"model":"m"}]', '[]', '1', '', '{', '{}{}'])('T21: %s is refused as what is not JSON is', (text) => {
  expect(modelInBody(text)).toEqual(modelInBody('model'))
})

test('T21: what is accepted is what JSON.parse reads, for any JSON', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })),
      fc.string({ minLength: 1, maxLength: 20 }),
      (members, model) => {
        const rest = Object.fromEntries(Object.entries(members).filter(([name]) => name.toLowerCase() !== 'model'))
        expect(modelInBody(JSON.stringify({ ...rest, model }))).toEqual({ kind: 'model', model })
      },
    ),
  )
})

test('T21, T56: MAX_MEMBERS members are read, one more is refused', () => {
  const body = (members: number) =>
    JSON.stringify({ model: 'a', ...Object.fromEntries(Array.from({ length: members - 1 }, (_, n) => [`m${n}`, 0])) })
  expect(modelInBody(body(MAX_MEMBERS))).toEqual({ kind: 'model', model: 'a' })
  expect(modelInBody(body(MAX_MEMBERS + 1)).kind).toBe('refused')
})

test.each([
  ['empty lists', '[]', 2],
  ['empty objects', '{}', 2],
  ['numbers', '1', 1],
  ['names', '{"a":0}', 3],
])('T21, T56: MAX_PARTS of %s are read, one more is refused', (_name, element, parts) => {
  // The object, its two members and their comma, the list; each element but the last with its comma.
  const frame = 5
  const body = (count: number) => `{"model":"a","x":[${Array(count).fill(element).join(',')}]}`
  const most = Math.floor((MAX_PARTS - frame + 1) / parts)
  expect(modelInBody(body(most))).toEqual({ kind: 'model', model: 'a' })
  expect(modelInBody(body(most + 1)).kind).toBe('refused')
})

test('T21: a name that is "models" only to parsers that fold letters is refused', () => {
  expect(modelInBody('{"model":"a","model\u017f":["b"]}').kind).toBe('refused')
})

test('T21: what JSON.parse refuses is refused, for any text', () => {
  const text = fc.string({
    unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'model', 'u0064', '1', ' ', '\n', 'a'),
  })
  fc.assert(
    fc.property(text, (body) => {
      const found = modelInBody(body)
      if (found.kind === 'refused') return
      expect(JSON.parse(body).model).toBe(found.model)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  'application/json',
  'Application/JSON',
  'application/json; charset=utf-8',
  'application/json;charset="UTF-8"',
])('T21: %s is JSON', (type) => {
  expect(JSON_TYPE.test(type)).toBe(true)
})

test.each([
  'text/plain',
  'application/json; charset=utf-16',
  'application/json, text/plain',
  'application/x-ndjson',
  'application/json; a=b',
  '',
])('T21: %j is not', (type) => {
  expect(JSON_TYPE.test(type)).toBe(false)
})

test('T21: a member that stands twice is found wherever the two stand among many', () => {
  const body = (names: readonly string[]) => `{${['model', ...names].map((name) => `"${name}":"a"`).join()}}`
  const names = Array.from({ length: 40 }, (_, i) => `n${i}`)
  expect(modelInBody(body(names)).kind).toBe('model')
  for (const again of ['model', ...names]) {
    expect(modelInBody(body([...names, again])).kind).toBe('refused')
    expect(modelInBody(body([again, ...names])).kind).toBe('refused')
  }
})

test('T21, T56: many escapes before a far quote take no longer than their number', { timeout: 5000 }, () => {
  const text = `${'a'.repeat(18)}\\n`.repeat(400_000)
  expect(modelInBody(`{"x":"${text}","model":"m"}`)).toEqual({ kind: 'model', model: 'm' })
})
