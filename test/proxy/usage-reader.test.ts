import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { usageForms } from '#proxy/usage-forms.ts'
import type { Tokens } from '#proxy/usage-names.ts'
import { UsageReader } from '#proxy/usage-reader.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const EVENTS_TYPE = 'text/event-stream'

interface Shape {
  readonly name: string
  readonly type: string
  readonly text: string
  readonly tokens: Tokens
}

const plain = (name: string, json: unknown, input: number | null, output: number | null): Shape => ({
  name,
  type: JSON_TYPE,
  text: JSON.stringify(json),
  tokens: { input, output },
})
const streamed = (name: string, text: string, input: number | null, output: number | null): Shape => ({
  name,
  type: EVENTS_TYPE,
  text,
  tokens: { input, output },
})
const data = (json: unknown) => `data: ${JSON.stringify(json)}\n\n`
const named = (json: { readonly type: string; readonly [member: string]: unknown }) =>
  `event: ${json.type}\ndata: ${JSON.stringify(json)}\n\n`

/** What a model, a tool or the caller might say to be counted for more, or for less. */
const LIE = {
  usage: { input_tokens: 9001, output_tokens: 9002, prompt_tokens: 9003, completion_tokens: 9004 },
  usageMetadata: { promptTokenCount: 9005, candidatesTokenCount: 9006 },
  message: { usage: { input_tokens: 9007, output_tokens: 9008 } },
  x: ['}]}"', '\\', '\\"', ']}}', '{"usage":{"input_tokens":9009}}', 'data: {"usage":{"input_tokens":9010}}\n\n'],
}
const TEXT_LIE = JSON.stringify(LIE)

const responsesUsage = {
  input_tokens: 120,
  input_tokens_details: { cached_tokens: 100, input_tokens: 9100 },
  output_tokens: 34,
  output_tokens_details: { reasoning_tokens: 30 },
  total_tokens: 154,
}
const response = {
  id: 'resp_1',
  object: 'response',
  instructions: TEXT_LIE,
  output: [
    { type: 'function_call', name: 'usage', arguments: TEXT_LIE },
    { type: 'message', content: [{ type: 'output_text', text: `${TEXT_LIE}é☃\u0000` }] },
  ],
  tools: [{ type: 'function', name: 'f', parameters: { type: 'object', properties: LIE } }],
  usage: responsesUsage,
  user: null,
  metadata: { usage: '{"input_tokens":9011}', input_tokens: '9012' },
}
const chat = (usage?: object) => ({
  id: 'chatcmpl-1',
  choices: [{ message: { role: 'assistant', content: TEXT_LIE, tool_calls: [{ function: { arguments: TEXT_LIE } }] } }],
  ...(usage && { usage }),
})
const chunk = (more: object = {}) =>
  data({ id: 'chatcmpl-1', object: 'chat.completion.chunk', choices: [{ delta: { content: TEXT_LIE } }], ...more })
const chatUsage = {
  prompt_tokens: 120,
  completion_tokens: 34,
  total_tokens: 154,
  prompt_tokens_details: { cached_tokens: 64 },
  completion_tokens_details: { reasoning_tokens: 8 },
}
const groqUsage = { queue_time: 0.02, ...chatUsage, prompt_time: 0.001, completion_time: 1e-7, total_time: 0.02 }
const gemini = (text: string, usageMetadata?: object) => ({
  candidates: [{ content: { role: 'model', parts: [{ text }, { functionCall: { name: 'f', args: LIE } }] } }],
  ...(usageMetadata && { usageMetadata }),
  modelVersion: 'gemini-3.5-flash',
})
const geminiUsage = {
  promptTokenCount: 100,
  candidatesTokenCount: 20,
  totalTokenCount: 154,
  cachedContentTokenCount: 64,
  promptTokensDetails: [{ modality: 'TEXT', tokenCount: 100 }],
  toolUsePromptTokenCount: 20,
  thoughtsTokenCount: 14,
}
const anthropicUsage = {
  input_tokens: 4,
  cache_creation_input_tokens: 16,
  cache_read_input_tokens: 100,
  cache_creation: { ephemeral_5m_input_tokens: 16, ephemeral_1h_input_tokens: 0 },
  output_tokens: 34,
  server_tool_use: { web_search_requests: 2, input_tokens: 9013 },
  service_tier: 'standard',
}
const message = {
  id: 'msg_1',
  type: 'message',
  content: [
    { type: 'text', text: TEXT_LIE },
    { type: 'tool_use', id: 'toolu_1', name: 'usage', input: LIE },
  ],
  usage: anthropicUsage,
}
const cohereUsage = {
  billed_units: { input_tokens: 5, output_tokens: 34 },
  tokens: { input_tokens: 120, output_tokens: 34 },
}

const shapes: readonly Shape[] = [
  plain('Responses', response, 120, 34),
  streamed(
    'Responses',
    named({ type: 'response.created', response: { ...response, output: [], usage: null } }) +
      named({ type: 'response.output_text.delta', delta: TEXT_LIE }) +
      named({ type: 'response.function_call_arguments.done', arguments: TEXT_LIE, item: { arguments: TEXT_LIE } }) +
      named({ type: 'response.completed', response, sequence_number: 9 }),
    120,
    34,
  ),
  plain('Chat Completions', chat(chatUsage), 120, 34),
  streamed(
    'Chat Completions with include_usage',
    `${chunk({ usage: null })}${chunk({ usage: null })}${data({ choices: [], usage: chatUsage })}data: [DONE]\n\n`,
    120,
    34,
  ),
  streamed('Chat Completions without include_usage', `${chunk()}${chunk()}data: [DONE]\n\n`, null, null),
  plain('Groq', { ...chat(groqUsage), x_groq: { id: 'req_1', usage: { dram_cached_tokens: 0 } } }, 120, 34),
  streamed(
    'Groq, which is not asked for it',
    `${chunk({ x_groq: { id: 'req_1' } })}${chunk({ x_groq: { id: 'req_1', usage: groqUsage } })}data: [DONE]\n\n`,
    120,
    34,
  ),
  streamed(
    'Groq with include_usage, which tells it twice',
    chunk({ x_groq: { id: 'req_1', usage: groqUsage } }) + data({ choices: [], usage: groqUsage, x_groq: null }),
    120,
    34,
  ),
  plain('Mistral', { ...chat(chatUsage), object: 'chat.completion' }, 120, 34),
  streamed('Mistral', `${chunk()}${chunk({ usage: chatUsage })}data: [DONE]\n\n`, 120, 34),
  streamed(
    'xAI, which counts in every event',
    chunk({ usage: { ...chatUsage, completion_tokens: 1 } }) + chunk({ usage: chatUsage }),
    120,
    34,
  ),
  plain('Anthropic, with what came from the cache and went there', message, 120, 34),
  streamed(
    'Anthropic: input at the start, output with what became of it',
    named({
      type: 'message_start',
      message: { ...message, content: [], usage: { ...anthropicUsage, output_tokens: 1 } },
    }) +
      named({ type: 'content_block_start', content_block: { type: 'tool_use', name: 'f', input: {} } }) +
      named({ type: 'content_block_start', content_block: { type: 'server_tool_use', name: 'f', input: LIE } }) +
      named({ type: 'ping' }) +
      named({ type: 'content_block_delta', delta: { type: 'input_json_delta', partial_json: TEXT_LIE } }) +
      named({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 20 } }) +
      named({
        type: 'message_delta',
        delta: { stop_reason: 'end_turn' },
        usage: { input_tokens: null, output_tokens: 34 },
      }) +
      named({ type: 'message_stop' }),
    120,
    34,
  ),
  streamed(
    'Anthropic whose server tools read more: the last numbers are the whole',
    named({ type: 'message_start', message: { content: [], usage: { input_tokens: 10, output_tokens: 1 } } }) +
      named({ type: 'message_delta', delta: {}, usage: { ...anthropicUsage } }),
    120,
    34,
  ),
  plain('Gemini, thoughts and what its tools read included', gemini(TEXT_LIE, geminiUsage), 120, 34),
  streamed(
    'Gemini, which counts in every event',
    data(
      gemini('a', { promptTokenCount: 100, totalTokenCount: 114, toolUsePromptTokenCount: 20, thoughtsTokenCount: 14 }),
    ) +
      data(gemini(TEXT_LIE, { ...geminiUsage, candidatesTokenCount: 7 })) +
      data(gemini('c', geminiUsage)),
    120,
    34,
  ),
  plain('Gemini streamed as one array', [gemini('a'), gemini(TEXT_LIE, geminiUsage)], 120, 34),
  plain(
    'Gemini that thought and did not speak',
    gemini('', { promptTokenCount: 120, thoughtsTokenCount: 34 }),
    120,
    34,
  ),
  plain(
    'Cohere',
    { id: 'c', message: { role: 'assistant', content: [{ text: TEXT_LIE }] }, usage: cohereUsage },
    120,
    34,
  ),
  streamed(
    'Cohere',
    named({ type: 'content-delta', index: 0, delta: { message: { content: { text: TEXT_LIE } } } }) +
      named({ type: 'message-end', delta: { finish_reason: 'COMPLETE', usage: cohereUsage } }),
    120,
    34,
  ),
  plain('Cohere, first version', { text: TEXT_LIE, meta: { api_version: { version: '1' }, ...cohereUsage } }, 120, 34),
  {
    ...plain('Cohere streamed, first version', null, 120, 34),
    type: 'application/stream+json',
    text: [
      { event_type: 'text-generation', text: TEXT_LIE },
      { event_type: 'stream-end', response: { text: TEXT_LIE, meta: cohereUsage } },
    ]
      .map((event) => `${JSON.stringify(event)}\n`)
      .join(''),
  },
  plain(
    'an embedding of Cohere',
    { embeddings: { float: [[0.1]] }, meta: { billed_units: { input_tokens: 120 } } },
    120,
    null,
  ),
  plain(
    'an embedding of OpenAI',
    { data: [{ embedding: [0.1, -2e-3] }], usage: { prompt_tokens: 120, total_tokens: 120 } },
    120,
    null,
  ),
  plain(
    'a count of tokens that nothing was used for',
    { input_tokens: 120, object: 'response.input_tokens' },
    null,
    null,
  ),
  plain('an error', { type: 'error', error: { message: TEXT_LIE } }, null, null),
  plain('nothing', '', null, null),
]

function read(type: string | null, pieces: readonly Buffer[]): Tokens {
  const reader = new UsageReader()
  reader.begin(type === null ? [] : ['x-usage', '1', 'content-type', type])
  for (const piece of pieces) reader.push(piece)
  return reader.tokens()
}

describe.each(shapes)('$type, $name', ({ type, text, tokens }) => {
  const bytes = Buffer.from(text)

  test('is read in one piece, byte by byte, and with white space between', () => {
    expect(read(type, [bytes])).toEqual(tokens)
    expect(
      read(
        type,
        Array.from(bytes, (byte) => Buffer.of(byte)),
      ),
    ).toEqual(tokens)
    if (type === JSON_TYPE) expect(read(type, [Buffer.from(JSON.stringify(JSON.parse(text), null, 2))])).toEqual(tokens)
    else expect(read(type, [Buffer.from(text.replaceAll('\n', '\r\n'))])).toEqual(tokens)
  })

  test('is read wherever it is split in two', () => {
    const wrong: number[] = []
    for (let at = 1; at < bytes.length; at++) {
      const { input, output } = read(type, [bytes.subarray(0, at), bytes.subarray(at)])
      if (input !== tokens.input || output !== tokens.output) wrong.push(at)
    }
    expect(wrong).toEqual([])
  })

  test('is known by its first byte when the provider does not say what it is', () => {
    expect(read(null, [bytes])).toEqual(tokens)
  })
})

test('an answer of half a megabyte that repeats what it was told is read to its end', () => {
  const long = { ...response, instructions: `${'x'.repeat(300_000)}${'\\"'.repeat(50_000)}` }
  const bytes = Buffer.from(named({ type: 'response.completed', response: long }))
  const pieces = Array.from({ length: Math.ceil(bytes.length / 1400) }, (_, n) =>
    bytes.subarray(1400 * n, 1400 * (n + 1)),
  )
  expect(read(EVENTS_TYPE, pieces)).toEqual({ input: 120, output: 34 })
})

test.each([
  ['an event that is no JSON', 'data: it\'s 5" {[\n\n'],
  ['an event that breaks off', 'data: {"choices":[{"delta":{"content":"a\n\n'],
  ['a comment', ': {"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n'],
  ['another field', 'event: {"usage":{"prompt_tokens":1,"completion_tokens":1}}\nid: 7\nretry: 5\n\n'],
])('%s in a stream neither counts nor hides what comes after it', (_name, event) => {
  expect(read(EVENTS_TYPE, [Buffer.from(event)])).toEqual({ input: null, output: null })
  expect(read(EVENTS_TYPE, [Buffer.from(event + chunk({ usage: chatUsage }))])).toEqual({ input: 120, output: 34 })
})

test('a name with an escaped quote in it ends where it ends', () => {
  const text = `{"\\":{":0,"a\\\\":{"input_tokens":9001},"usage":${JSON.stringify(chatUsage)}}`
  expect(JSON.parse(text)).toMatchObject({ usage: chatUsage })
  expect(
    read(
      JSON_TYPE,
      Array.from(Buffer.from(text), (byte) => Buffer.of(byte)),
    ),
  ).toEqual({ input: 120, output: 34 })
})

test('the JSON of an event may be on several lines', () => {
  const lines = JSON.stringify({ usage: chatUsage }, null, 1).replaceAll('\n', '\ndata:')
  expect(read(EVENTS_TYPE, [Buffer.from(`data:${lines}\n\n`)])).toEqual({ input: 120, output: 34 })
})

test.each([
  ['12.0', 12],
  ['0', 0],
  ['999999999999', 999_999_999_999],
  ['1000000000000', null],
  ['12.5', null],
  ['1e3', null],
  ['-3', null],
  ['"12"', null],
  ['null', null],
  ['true', null],
  ['[12]', null],
  ['{"input_tokens":12}', null],
])('input_tokens of %s count as %s', (written, input) => {
  const text = `{"usage":{"input_tokens":${written},"output_tokens":34}}`
  expect(read(JSON_TYPE, [Buffer.from(text)])).toEqual({ input, output: 34 })
})

test('a number that broke off is not counted, for it may have been longer', () => {
  const text = '{"usage":{"input_tokens":12,"output_tokens":34'
  expect(read(JSON_TYPE, [Buffer.from(text)])).toEqual({ input: 12, output: null })
})

test.each(['text/plain', 'application/octet-stream', 'audio/mpeg', 'text/html'])(
  'of %s nothing is read: it may be a text that a model wrote',
  (type) => {
    expect(read(type, [Buffer.from(JSON.stringify(LIE))])).toEqual({ input: null, output: null })
    expect(read(type, [Buffer.from(data(LIE))])).toEqual({ input: null, output: null })
  },
)

test('what is read is what JSON.parse finds at the places of the table, in any JSON, however it is cut', () => {
  const names = [
    ...new Set(
      usageForms.flatMap(({ at, input, output }) => [...at.flatMap((place) => place.split('.')), ...input, ...output]),
    ),
  ]
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.nat(1000),
      fc.string(),
      fc.constantFrom(null, true, '"', '\\', '{"usage":{"input_tokens":1}}', -1, 1.5),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, fc.string()), tie('json'), {
        maxKeys: 5,
      }),
    ),
  }))
  const answer = fc.dictionary(fc.constantFrom(...names, 'output'), json, { maxKeys: 5 })
  fc.assert(
    fc.property(answer, fc.integer({ min: 1, max: 40 }), fc.boolean(), (value, size, isEvents) => {
      const bytes = Buffer.from(isEvents ? data(value) : JSON.stringify(value, null, size % 3))
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
        bytes.subarray(size * n, size * (n + 1)),
      )
      expect(read(isEvents ? EVENTS_TYPE : JSON_TYPE, pieces)).toEqual({
        input: found(value, 'input'),
        output: found(value, 'output'),
      })
    }),
    { numRuns: 2000 },
  )
})

/** The same by the plainest means. Where a form has two places, what is written later counts. */
function found(answer: unknown, side: 'input' | 'output'): number | null {
  for (const form of usageForms) {
    const members = form[side].flatMap((member) => {
      const told = form.at.map((place) => [...place.split('.'), member]).map((path) => countAt(answer, path))
      const last = told
        .filter((count) => count !== null)
        .sort((a, b) => a.order.localeCompare(b.order))
        .at(-1)
      return last ? [last.count] : []
    })
    if (members.length > 0) return members.reduce((sum, count) => sum + count)
  }
  return null
}

/** With where it is written: at each depth the number of its member, in three digits. */
function countAt(json: unknown, path: readonly string[]): { readonly count: number; readonly order: string } | null {
  let value = json
  let order = ''
  for (const name of path) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, name)) return null
    order += String(Object.keys(value).indexOf(name)).padStart(3, '0')
    value = (value as Record<string, unknown>)[name]
  }
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? { count: value, order } : null
}
