/** How a kind of API says how many tokens an answer took: numbers, in an object of its own that no model can write. */
export interface UsageForm {
  readonly of: string
  /** Where that object stands: names from the outermost object, of a whole answer or of an event, joined by dots. */
  readonly at: readonly string[]
  /** Members of it; those that are there are added up. */
  readonly input: readonly string[]
  readonly output: readonly string[]
}

/**
 * The first form that has a number decides, for input and for output. Input is all that the model read, whether it
 * came from a cache or not, and output is all that it wrote, thoughts included: what OpenTelemetry's
 * `gen_ai.usage.input_tokens` and `output_tokens` are, so that providers can be added up. In a stream a later number
 * takes the place of an earlier one, since all of them count from the beginning.
 */
export const usageForms: readonly UsageForm[] = [
  {
    // In a stream OpenAI tells it in the last event, if asked by `stream_options.include_usage`. Groq, which is not to
    // be asked, has it in `x_groq` then; Mistral and Cohere's compatible API in the last event; xAI in every one.
    of: 'Chat Completions and embeddings: OpenAI, Groq, Mistral, and all that are compatible',
    at: ['usage', 'x_groq.usage'],
    input: ['prompt_tokens'],
    output: ['completion_tokens'],
  },
  {
    // Responses: in `response.completed`, `.incomplete` and `.failed`. Anthropic: `message_start` holds the message as
    // it is then, `message_delta` what has become of it; what comes from the cache or goes there is not in
    // `input_tokens`. Responses counts that in, and names it only in the details.
    of: 'OpenAI Responses, Anthropic Messages',
    at: ['usage', 'response.usage', 'message.usage'],
    input: ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'],
    output: ['output_tokens'],
  },
  {
    // In any event of a stream. `candidatesTokenCount` is without thoughts, and `promptTokenCount` with the cache.
    of: 'Gemini',
    at: ['usageMetadata'],
    input: ['promptTokenCount', 'toolUsePromptTokenCount'],
    output: ['candidatesTokenCount', 'thoughtsTokenCount'],
  },
  {
    // v2 in the answer and in `message-end`; v1 in `meta` and in `stream-end`.
    of: 'Cohere: what its model read and wrote',
    at: ['usage.tokens', 'delta.usage.tokens', 'meta.tokens', 'response.meta.tokens'],
    input: ['input_tokens'],
    output: ['output_tokens'],
  },
  {
    of: 'Cohere: what it bills, where it tells no more (embeddings)',
    at: ['usage.billed_units', 'delta.usage.billed_units', 'meta.billed_units', 'response.meta.billed_units'],
    input: ['input_tokens'],
    output: ['output_tokens'],
  },
]
