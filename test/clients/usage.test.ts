import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import Groq from 'groq-sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Provider, startProvider } from '#test/support/provider.ts'
import { POLICY, startTill, type Till } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'

/** A call that reads its answer to the end; in a stream if asked. */
interface Api {
  readonly name: string
  readonly provider: string
  call(access: { readonly apiKey: string; readonly baseURL: string }, stream: boolean): Promise<void>
}

const prompt = 'Say hi'
const messages = [{ role: 'user' as const, content: prompt }]

const apis: readonly Api[] = [
  {
    name: 'openai, responses',
    provider: 'openai',
    call: async (access, stream) => {
      const asked = { model: 'gpt-5-mini', input: prompt, stream }
      await end(await new OpenAI(access).responses.create(asked))
    },
  },
  {
    name: 'openai, chat completions that ask for it',
    provider: 'openai',
    call: async (access, stream) => {
      const asked = {
        model: 'gpt-5-mini',
        messages,
        stream,
        ...(stream && { stream_options: { include_usage: true } }),
      }
      await end(await new OpenAI(access).chat.completions.create(asked))
    },
  },
  {
    name: '@anthropic-ai/sdk',
    provider: 'anthropic',
    call: async (access, stream) => {
      const asked = { model: 'claude-haiku-4-5', max_tokens: 100, messages, stream }
      await end(await new Anthropic(access).messages.create(asked))
    },
  },
  {
    name: '@google/genai',
    provider: 'gemini',
    call: async ({ apiKey, baseURL }, stream) => {
      const { models } = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: baseURL } })
      const asked = { model: 'gemini-3.5-flash', contents: prompt }
      await end(stream ? await models.generateContentStream(asked) : await models.generateContent(asked))
    },
  },
  {
    name: 'groq-sdk',
    provider: 'groq',
    call: async (access, stream) => {
      const asked = { model: 'llama-3.3-70b-versatile', messages, stream }
      await end(await new Groq(access).chat.completions.create(asked))
    },
  },
  {
    name: 'mistral',
    provider: 'mistral',
    call: ({ apiKey, baseURL }, stream) =>
      post(`${baseURL}/v1/chat/completions`, apiKey, { model: 'mistral-small-latest', messages, stream }),
  },
  {
    name: 'cohere',
    provider: 'cohere',
    call: ({ apiKey, baseURL }, stream) =>
      post(`${baseURL}/v2/chat`, apiKey, { model: 'command-a-03-2025', messages, stream }),
  },
]

/** Reads a stream to its end, which is where most providers tell their usage. */
async function end(answer: object): Promise<void> {
  if (Symbol.asyncIterator in answer) for await (const _ of answer as AsyncIterable<unknown>);
}

async function post(url: string, key: string, body: object): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(answer.status).toBe(200)
  await answer.text()
}

let provider: Provider
let till: Till
beforeAll(async () => {
  provider = await startProvider()
  const preset = (name: string) => ({ origin: provider.url, credential: `env:REAL_${name}` })
  till = await startTill({
    provider,
    providers: { mistral: preset('MISTRAL'), cohere: preset('COHERE') },
    policies: [{ ...POLICY, providers: [...POLICY.providers, 'mistral', 'cohere'] }],
  })
})
afterAll(async () => {
  await till?.close()
  await provider?.close()
})
beforeEach(() => provider.reset())

/** What the provider counts, call by call. */
const calls = [
  { input: 1234, cached: 1000, output: 56, thoughts: 30 },
  { input: 11, cached: 0, output: 7, thoughts: 0 },
]
const total = { input_tokens: 1245, output_tokens: 63 }
/** A model that would be counted for more than it takes. */
const lies = [
  '{"usage":{"input_tokens":9001,',
  '"output_tokens":9002}}\n\ndata: {"usage":{"prompt_tokens":9003}}\n\n',
  ' "usageMetadata":{"promptTokenCount":9004}',
]

describe.each(apis)('the receipt of $name has the tokens that the provider counted', { timeout: 20_000 }, (api) => {
  test.each([
    ['plain', [false, false]],
    ['streamed', [true, true]],
    ['one of each', [false, true]],
  ])('%s, added up', async (_name, modes) => {
    provider.says(...lies)
    const minted = await till.mint({ providers: [api.provider] })
    expect((await till.receipt(minted)).receipt.usage).toEqual({ input_tokens: null, output_tokens: null })
    for (const [n, stream] of modes.entries()) {
      provider.counts(calls[n]!)
      await api.call(accessOf(minted, api), stream)
    }
    expect((await till.revoke(minted)).receipt).toMatchObject({ usage: total, activations: { used: 2 } })
  })
})

test('a stream of chat completions that did not ask for its usage adds nothing', async () => {
  const minted = await till.mint({ providers: ['openai'] })
  const client = new OpenAI(accessOf(minted, apis[0]!))
  await end(await client.chat.completions.create({ model: 'gpt-5-mini', messages, stream: true }))
  const { receipt } = await till.revoke(minted)
  expect(receipt).toMatchObject({ usage: { input_tokens: null, output_tokens: null }, activations: { used: 1 } })
})

test('counting tokens, which is free, is not counted as using them', async () => {
  const minted = await till.mint({ providers: ['anthropic'] })
  const client = new Anthropic(accessOf(minted, apis[2]!))
  expect(await client.messages.countTokens({ model: 'claude-haiku-4-5', messages })).toEqual({ input_tokens: 11 })
  const { receipt } = await till.revoke(minted)
  expect(receipt).toMatchObject({ usage: { input_tokens: null, output_tokens: null }, activations: { used: 0 } })
})

const accessOf = (minted: MintAnswer, api: Api) => ({
  apiKey: minted.key,
  baseURL: minted.providers[api.provider]!.base_url,
})
