import type { CredentialHeader, Provider } from './provider.ts'
import { parseRoute, type Route } from './route.ts'

const BEARER: CredentialHeader = { name: 'authorization', before: 'Bearer ', after: '' }
const X_API_KEY: CredentialHeader = { name: 'x-api-key', before: '', after: '' }
const X_GOOG_API_KEY: CredentialHeader = { name: 'x-goog-api-key', before: '', after: '' }

/**
 * The providers that need no description in the configuration: an operator names them and gives a credential. Every
 * field can be overridden there.
 *
 * `routes` are what coding agents and the SDKs call to get an answer. Left out on purpose is what starts work that
 * outlives the request (files, batches, fine-tunes, stored conversations, videos) or reads what others in the account
 * left: an operator who wants such a route names it in a policy. `free` are lists of models and counts of tokens.
 */
export const presets: ReadonlyMap<string, Provider> = new Map(
  [
    preset('openai', {
      origin: 'https://api.openai.com',
      base: '/v1',
      prefix: '/v1',
      routes: [
        'POST /v1/responses',
        'POST /v1/responses/compact',
        'POST /v1/chat/completions',
        'POST /v1/completions',
        'POST /v1/embeddings',
        'POST /v1/moderations',
      ],
      free: ['GET /v1/models', 'GET /v1/models/*', 'POST /v1/responses/input_tokens'],
    }),
    preset('anthropic', {
      origin: 'https://api.anthropic.com',
      header: X_API_KEY,
      // The AI SDK wants its base with /v1, Anthropic's own without, and both read ANTHROPIC_BASE_URL.
      prefix: '/v1',
      routes: ['POST /v1/messages'],
      free: ['GET /v1/models', 'GET /v1/models/*', 'POST /v1/messages/count_tokens'],
    }),
    preset('gemini', {
      origin: 'https://generativelanguage.googleapis.com',
      header: X_GOOG_API_KEY,
      model: 'path',
      // The SDK's third major calls v1, those before it and gemini-cli v1beta.
      routes: ['v1', 'v1beta'].flatMap((version) => [
        `POST /${version}/models/*:generateContent`,
        `POST /${version}/models/*:streamGenerateContent`,
        `POST /${version}/models/*:embedContent`,
        `POST /${version}/models/*:batchEmbedContents`,
      ]),
      free: ['v1', 'v1beta'].flatMap((version) => [
        `GET /${version}/models`,
        `GET /${version}/models/*`,
        `POST /${version}/models/*:countTokens`,
      ]),
    }),
    preset('mistral', {
      origin: 'https://api.mistral.ai',
      prefix: '/v1',
      routes: [
        'POST /v1/chat/completions',
        'POST /v1/responses',
        'POST /v1/fim/completions',
        'POST /v1/embeddings',
        'POST /v1/moderations',
        'POST /v1/chat/moderations',
      ],
      free: ['GET /v1/models', 'GET /v1/models/*'],
    }),
    preset('groq', {
      origin: 'https://api.groq.com',
      prefix: '/openai/v1',
      routes: ['POST /openai/v1/chat/completions', 'POST /openai/v1/responses', 'POST /openai/v1/embeddings'],
      free: ['GET /openai/v1/models', 'GET /openai/v1/models/*', 'GET /openai/v1/models/*/*'],
    }),
    preset('openrouter', {
      origin: 'https://openrouter.ai',
      base: '/api/v1',
      prefix: '/api/v1',
      routes: [
        'POST /api/v1/chat/completions',
        'POST /api/v1/responses',
        'POST /api/v1/messages',
        'POST /api/v1/completions',
        'POST /api/v1/embeddings',
      ],
      free: ['GET /api/v1/models', 'GET /api/v1/models/count', 'GET /api/v1/models/*/*/endpoints'],
    }),
    preset('together', {
      origin: 'https://api.together.xyz',
      base: '/v1',
      prefix: '/v1',
      routes: ['POST /v1/chat/completions', 'POST /v1/completions', 'POST /v1/embeddings', 'POST /v1/rerank'],
      free: ['GET /v1/models'],
    }),
    preset('fireworks', {
      origin: 'https://api.fireworks.ai',
      base: '/inference/v1',
      prefix: '/inference/v1',
      routes: [
        'POST /inference/v1/chat/completions',
        'POST /inference/v1/responses',
        'POST /inference/v1/messages',
        'POST /inference/v1/completions',
        'POST /inference/v1/embeddings',
        'POST /inference/v1/rerank',
      ],
      free: ['GET /inference/v1/models'],
    }),
    preset('perplexity', {
      origin: 'https://api.perplexity.ai',
      base: '/v1',
      routes: [
        'POST /v1/responses',
        'POST /v1/agent',
        'POST /v1/sonar',
        'POST /v1/chat/completions',
        'POST /chat/completions',
        'POST /v1/embeddings',
        'POST /search',
      ],
      free: ['GET /v1/models'],
    }),
    preset('deepseek', {
      origin: 'https://api.deepseek.com',
      // No base: its documentation has OpenAI's clients at the root. No prefix: the same API stands there, under /v1,
      // /beta and /anthropic, and the last two are different.
      routes: [
        'POST /v1/chat/completions',
        'POST /chat/completions',
        'POST /beta/chat/completions',
        'POST /beta/completions',
        'POST /anthropic/v1/messages',
      ],
      free: ['GET /v1/models', 'GET /models'],
    }),
    preset('xai', {
      origin: 'https://api.x.ai',
      base: '/v1',
      prefix: '/v1',
      routes: ['POST /v1/responses', 'POST /v1/chat/completions', 'POST /v1/messages', 'POST /v1/completions'],
      free: [
        'GET /v1/models',
        'GET /v1/models/*',
        'GET /v1/language-models',
        'GET /v1/language-models/*',
        'POST /v1/tokenize-text',
      ],
    }),
    preset('cohere', {
      origin: 'https://api.cohere.com',
      routes: [
        'POST /v2/chat',
        'POST /v2/embed',
        'POST /v2/rerank',
        'POST /v1/chat',
        'POST /v1/embed',
        'POST /v1/rerank',
        'POST /compatibility/v1/chat/completions',
        'POST /compatibility/v1/embeddings',
      ],
      free: ['GET /v1/models', 'GET /v1/models/*', 'POST /v1/tokenize', 'POST /v1/detokenize'],
    }),
  ].map((provider) => [provider.name, provider]),
)

function preset(
  name: string,
  row: {
    readonly origin: string
    readonly header?: CredentialHeader
    readonly base?: string
    readonly prefix?: string
    readonly model?: Provider['model']
    readonly routes: readonly string[]
    readonly free: readonly string[]
  },
): Provider {
  return {
    name,
    origin: row.origin,
    header: row.header ?? BEARER,
    base: row.base ?? '',
    prefix: row.prefix ?? null,
    model: row.model ?? 'body',
    routes: row.routes.map(route),
    free: row.free.map(route),
  }
}

function route(text: string): Route {
  const read = parseRoute(text)
  if (typeof read === 'string') throw new Error(read)
  return read
}
