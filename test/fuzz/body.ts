import assert from 'node:assert/strict'
import fc from 'fast-check'
import { modelInBody } from '#domain/json-body.ts'
import { propertyFuzzer } from './fuzzer.ts'
import { near } from './mutate.ts'

const NAMES = ['model', 'mod\\u0065l', 'Model', 'MODEL', 'model\\u0000', 'models', 'input', '__proto__', '']
const VALUES = [
  '"gpt-5-mini"',
  '"gpt-5\\u002dmini"',
  '"o1"',
  '""',
  'null',
  '1e999',
  '[]',
  '{}',
  '{"model":"o1"}',
  '["model","o1"]',
  '"\\ud800"',
  '"\\\\"',
  '"\\""',
  'true',
]
const object = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES)), { maxLength: 5 })
  .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join(',')}}`)
const bodies = object.chain((text) =>
  near([text, '{"model":"gpt-5-mini","input":"x"}'], ['"model":"o1",', '\\u006d', '\\"', '\ufeff', '//', '/*', '*/']),
)

/** T21: readers that take the first, the last, or the one in any case find the same model in what is taken. */
export const bodyFuzzer = propertyFuzzer('body', 2000, bodies, (body) => {
  const found = modelInBody(body)
  if (found.kind === 'refused') return
  const last = JSON.parse(body) as Record<string, unknown>
  const pairs = members(body)
  const first = pairs.find(([name]) => name === 'model')?.[1]
  const inAnyCase = pairs.filter(([name]) => name.toLowerCase() === 'model').map(([, value]) => value)
  assert.deepEqual([last['model'], first, ...inAnyCase], Array(2 + inAnyCase.length).fill(found.model))
  assert.equal(inAnyCase.length, 1)
})

/** The members of the outermost object in the order in which they stand, read by a parser of the test's own. */
function members(text: string): [string, unknown][] {
  const pairs: [string, unknown][] = []
  let depth = 0
  let name: string | null = null
  let start = 0
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/gs)) {
    if (depth === 1 && (token === ',' || token === '}') && name !== null) {
      pairs.push([name, JSON.parse(text.slice(start, index))])
      name = null
    }
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && token === ':' && name === null) {
      name = JSON.parse(
        text
          .slice(0, index)
          .trimEnd()
          .match(/"(?:[^"\\]|\\.)*"$/s)![0],
      ) as string
      start = index + 1
    }
  }
  return pairs
}
