/** What the stand-in provider answers: the shapes of the six APIs, plain and as server-sent events. */

export interface Call {
  readonly provider: string
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** The JSON of the body; empty when there is none. */
  readonly body: Readonly<Record<string, unknown>>
  /** What the model says, in pieces. */
  readonly words: readonly string[]
  /** How many calls there were before. */
  readonly number: number
  readonly counted: Counted
}

/** Tokens that a call took. */
export interface Counted {
  readonly input: number
  /** Those of the input that came from a cache. */
  readonly cached: number
  readonly output: number
  /** Those of the output that are thoughts. */
  readonly thoughts: number
}

/** An answer: one text, or the events of a stream in order, each with its final blank line. */
export type Answer =
  | { readonly kind: 'plain'; readonly json: unknown }
  | { readonly kind: 'events'; readonly events: readonly string[] }

export interface Endpoint {
  readonly provider: string
  readonly method: string
  readonly path: RegExp
  answer(call: Call): Answer
}

export const COUNTED: Counted = { input: 11, cached: 0, output: 7, thoughts: 0 }
const CREATED = 1_795_190_400

export const endpoints: readonly Endpoint[] = [
  { provider: 'openai', method: 'POST', path: /^\/v1\/responses$/, answer: responses },
  { provider: 'openai', method: 'POST', path: /^\/v1\/chat\/completions$/, answer: chatCompletions },
  { provider: 'openai', method: 'GET', path: /^\/v1\/models$/, answer: () => plain(modelList('gpt-5-mini')) },
  { provider: 'anthropic', method: 'POST', path: /^\/v1\/messages$/, answer: messages },
  {
    provider: 'anthropic',
    method: 'POST',
    path: /^\/v1\/messages\/count_tokens$/,
    answer: ({ counted }) => plain({ input_tokens: counted.input }),
  },
  {
    provider: 'anthropic',
    method: 'GET',
    path: /^\/v1\/models$/,
    answer: () => plain({ data: [{ type: 'model', id: 'claude-haiku-4-5', display_name: 'Haiku' }], has_more: false }),
  },
  { provider: 'gemini', method: 'POST', path: /^\/v1(beta)?\/models\/[^/]+:generateContent$/, answer: generateContent },
  {
    provider: 'gemini',
    method: 'POST',
    path: /^\/v1(beta)?\/models\/[^/]+:streamGenerateContent$/,
    answer: streamGenerateContent,
  },
  {
    provider: 'gemini',
    method: 'POST',
    path: /^\/v1(beta)?\/models\/[^/]+:countTokens$/,
    answer: ({ counted }) => plain({ totalTokens: counted.input }),
  },
  {
    provider: 'gemini',
    method: 'GET',
    path: /^\/v1(beta)?\/models$/,
    answer: () => plain({ models: [{ name: 'models/gemini-3.5-flash' }] }),
  },
  { provider: 'groq', method: 'POST', path: /^\/openai\/v1\/chat\/completions$/, answer: chatCompletions },
  {
    provider: 'groq',
    method: 'GET',
    path: /^\/openai\/v1\/models$/,
    answer: () => plain(modelList('llama-3.3-70b-versatile')),
  },
  { provider: 'mistral', method: 'POST', path: /^\/v1\/chat\/completions$/, answer: chatCompletions },
  { provider: 'cohere', method: 'POST', path: /^\/v2\/chat$/, answer: chatOfCohere },
]

/** The body of a 401, near enough to each provider's own. */
export const unauthorized = (provider: string): unknown =>
  provider === 'anthropic'
    ? { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } }
    : provider === 'gemini'
      ? { error: { code: 401, message: 'API key not valid.', status: 'UNAUTHENTICATED' } }
      : { error: { message: 'Incorrect API key provided.', type: 'invalid_request_error', code: 'invalid_api_key' } }

const plain = (json: unknown): Answer => ({ kind: 'plain', json })
const data = (json: unknown): string => `data: ${JSON.stringify(json)}\n\n`
const named = (json: { readonly type: string; readonly [member: string]: unknown }): string =>
  `event: ${json.type}\ndata: ${JSON.stringify(json)}\n\n`
const modelList = (id: string) => ({ object: 'list', data: [{ id, object: 'model', created: CREATED }] })

/** https://platform.openai.com/docs/api-reference/responses and its streaming events. */
function responses({ body, words, number, counted }: Call): Answer {
  const text = words.join('')
  const part = { type: 'output_text', text, annotations: [], logprobs: [] }
  const item = { id: `msg_${number}`, type: 'message', role: 'assistant', status: 'completed', content: [part] }
  const response = {
    id: `resp_${number}`,
    object: 'response',
    created_at: CREATED,
    status: 'completed',
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    model: body['model'],
    output: [item],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: 1,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    truncation: 'disabled',
    usage: {
      input_tokens: counted.input,
      input_tokens_details: { cached_tokens: counted.cached },
      output_tokens: counted.output,
      output_tokens_details: { reasoning_tokens: counted.thoughts },
      total_tokens: counted.input + counted.output,
    },
    user: null,
    metadata: {},
  }
  if (body['stream'] !== true) return plain(response)
  const unfinished = { ...response, status: 'in_progress', output: [], usage: null }
  const place = { item_id: item.id, output_index: 0, content_index: 0 }
  const events = [
    { type: 'response.created', response: unfinished },
    { type: 'response.in_progress', response: unfinished },
    { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress', content: [] } },
    { type: 'response.content_part.added', ...place, part: { ...part, text: '' } },
    ...words.map((delta) => ({ type: 'response.output_text.delta', ...place, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...place, text, logprobs: [] },
    { type: 'response.content_part.done', ...place, part },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response },
  ]
  return { kind: 'events', events: events.map((event, sequence_number) => named({ ...event, sequence_number })) }
}

/**
 * https://platform.openai.com/docs/api-reference/chat. Those that are compatible tell their usage in a stream unasked:
 * Groq in `x_groq` of the last chunk, Mistral in the last chunk itself.
 */
function chatCompletions({ provider, body, words, number, counted }: Call): Answer {
  const head = { id: `chatcmpl-${number}`, created: CREATED, model: body['model'] }
  const usage = {
    prompt_tokens: counted.input,
    completion_tokens: counted.output,
    total_tokens: counted.input + counted.output,
    prompt_tokens_details: { cached_tokens: counted.cached },
    completion_tokens_details: { reasoning_tokens: counted.thoughts },
  }
  if (body['stream'] !== true) {
    const message = { role: 'assistant', content: words.join(''), refusal: null }
    const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop' }]
    return plain({ ...head, object: 'chat.completion', choices, usage })
  }
  const chunk = (delta: object, finish_reason: string | null, more?: object) => {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason }]
    return data({ ...head, object: 'chat.completion.chunk', choices, ...more })
  }
  const unasked = { groq: { x_groq: { id: `req_${number}`, usage } }, mistral: { usage } }[provider as string]
  const wantsUsage = (body['stream_options'] as { include_usage?: boolean } | undefined)?.include_usage === true
  const events = [
    chunk({ role: 'assistant', content: '' }, null),
    ...words.map((content) => chunk({ content }, null)),
    chunk({}, 'stop', unasked),
    ...(wantsUsage ? [data({ ...head, object: 'chat.completion.chunk', choices: [], usage })] : []),
    'data: [DONE]\n\n',
  ]
  return { kind: 'events', events }
}

/** https://docs.anthropic.com/en/api/messages and its streaming events. */
function messages({ body, words, number, counted }: Call): Answer {
  const input = {
    input_tokens: counted.input - counted.cached,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: counted.cached,
  }
  const message = {
    id: `msg_${number}`,
    type: 'message',
    role: 'assistant',
    model: body['model'],
    content: [{ type: 'text', text: words.join('') }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { ...input, output_tokens: counted.output },
  }
  if (body['stream'] !== true) return plain(message)
  const started = {
    ...message,
    content: [],
    stop_reason: null,
    usage: { ...input, output_tokens: 1 },
  }
  const events = [
    { type: 'message_start', message: started },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'ping' },
    ...words.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: counted.output },
    },
    { type: 'message_stop' },
  ]
  return { kind: 'events', events: events.map(named) }
}

/** https://ai.google.dev/api/generate-content. Asked for JSON (gemini-cli's router), it answers what the router reads. */
function generateContent(call: Call): Answer {
  const wantsJson =
    (call.body['generationConfig'] as { responseMimeType?: string } | undefined)?.responseMimeType ===
    'application/json'
  const route = JSON.stringify({ complexity_reasoning: 'simple', complexity_score: 1 })
  return plain(candidate(call, wantsJson ? route : call.words.join(''), true))
}

function streamGenerateContent(call: Call): Answer {
  const pieces = call.words.map((word, at) => candidate(call, word, at === call.words.length - 1))
  return call.query.get('alt') === 'sse' ? { kind: 'events', events: pieces.map(data) } : plain(pieces)
}

const candidate = ({ path, number, counted }: Call, text: string, last: boolean) => ({
  candidates: [
    { content: { role: 'model', parts: [{ text }] }, index: 0, ...(last ? { finishReason: 'STOP' } : undefined) },
  ],
  ...(last && {
    usageMetadata: {
      promptTokenCount: counted.input,
      cachedContentTokenCount: counted.cached,
      candidatesTokenCount: counted.output - counted.thoughts,
      thoughtsTokenCount: counted.thoughts,
      totalTokenCount: counted.input + counted.output,
    },
  }),
  modelVersion: /models\/([^:]+):/.exec(path)?.[1],
  responseId: `gen_${number}`,
})

/** https://docs.cohere.com/reference/chat and its streaming events. It bills less than its model reads. */
function chatOfCohere({ body, words, number, counted }: Call): Answer {
  const usage = {
    billed_units: { input_tokens: counted.input - 1, output_tokens: counted.output },
    tokens: { input_tokens: counted.input, output_tokens: counted.output },
  }
  const id = `cohere_${number}`
  if (body['stream'] !== true) {
    const message = { role: 'assistant', content: [{ type: 'text', text: words.join('') }] }
    return plain({ id, finish_reason: 'COMPLETE', message, usage })
  }
  const events = [
    { type: 'message-start', id, delta: { message: { role: 'assistant', content: [] } } },
    { type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } },
    ...words.map((text) => ({ type: 'content-delta', index: 0, delta: { message: { content: { text } } } })),
    { type: 'content-end', index: 0 },
    { type: 'message-end', delta: { finish_reason: 'COMPLETE', usage } },
  ]
  return { kind: 'events', events: events.map(named) }
}
