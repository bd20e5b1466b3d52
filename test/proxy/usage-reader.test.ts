import { expect, test } from 'vitest'
import { UsageReader } from '#proxy/usage-reader.ts'

function tokens(...pieces: string[]) {
  const reader = new UsageReader()
  for (const piece of pieces) reader.push(Buffer.from(piece))
  return reader.tokens()
}
const filler = Array.from({ length: 500 }, (_, n) => `data: {"delta":"word ${n}"}\n\n`)

test.each([
  ['Responses', ['{"id":"r","usage":{"input_tokens":12,"output_tokens":34}}']],
  ['Chat Completions', ['{"usage":{"prompt_tokens": 12,"completion_tokens": 34,"total_tokens":46}}']],
  ['Gemini', ['{"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":34}}']],
  [
    'a stream of Anthropic: input at the start, output at the end',
    [
      'data: {"message":{"usage":{"input_tokens":12,"output_tokens":1}}}\n\n',
      ...filler,
      'data: {"usage":{"output_tokens":34}}\n\n',
    ],
  ],
  [
    'a stream of Responses: all in the last event',
    [...filler, 'data: {"response":{"usage":{"input_tokens":12,"output_tokens":34}}}\n\n'],
  ],
  ['a long answer in one piece', [`{"text":"${'x'.repeat(20_000)}","usage":{"input_tokens":12,"output_tokens":34}}`]],
])('tokens are read from %s', (_name, pieces) => {
  expect(tokens(...pieces)).toEqual({ input: 12, output: 34 })
})

test('what a model says about tokens is not a count', () => {
  expect(tokens(JSON.stringify({ text: '{"input_tokens":999,"output_tokens":999}' }))).toEqual({
    input: null,
    output: null,
  })
})

test('an answer that says nothing counts nothing', () => {
  expect(tokens()).toEqual({ input: null, output: null })
  expect(tokens('{"ok":true}')).toEqual({ input: null, output: null })
})
