import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { generateText, streamText } from 'ai'
import Groq from 'groq-sdk'
import OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { variablesOf } from '#action/variables.ts'
import { startTill, type Till } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'

/** One way in which an official SDK is used. It finds the broker by the environment that the action exports, only. */
interface Client {
  readonly name: string
  readonly provider: string
  plain(): Promise<string>
  stream(): AsyncIterable<string>
}

const prompt = 'Say hi'
const messages = [{ role: 'user' as const, content: prompt }]

const clients: readonly Client[] = [
  {
    name: 'openai, responses',
    provider: 'openai',
    plain: async () => (await new OpenAI().responses.create({ model: 'gpt-5-mini', input: prompt })).output_text,
    async *stream() {
      for await (const event of await new OpenAI().responses.create({
        model: 'gpt-5-mini',
        input: prompt,
        stream: true,
      }))
        if (event.type === 'response.output_text.delta') yield event.delta
    },
  },
  {
    name: 'openai, chat completions',
    provider: 'openai',
    plain: async () =>
      (await new OpenAI().chat.completions.create({ model: 'gpt-5-mini', messages })).choices[0]!.message.content!,
    async *stream() {
      for await (const chunk of await new OpenAI().chat.completions.create({
        model: 'gpt-5-mini',
        messages,
        stream: true,
      }))
        yield chunk.choices[0]?.delta.content ?? ''
    },
  },
  {
    name: '@anthropic-ai/sdk',
    provider: 'anthropic',
    plain: async () => {
      const answer = await new Anthropic().messages.create({ model: 'claude-haiku-4-5', max_tokens: 100, messages })
      return answer.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    },
    async *stream() {
      const ask = { model: 'claude-haiku-4-5', max_tokens: 100, messages, stream: true as const }
      for await (const event of await new Anthropic().messages.create(ask))
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') yield event.delta.text
    },
  },
  {
    name: '@google/genai',
    provider: 'gemini',
    plain: async () =>
      (await new GoogleGenAI({}).models.generateContent({ model: 'gemini-3.5-flash', contents: prompt })).text ?? '',
    async *stream() {
      const ask = { model: 'gemini-3.5-flash', contents: prompt }
      for await (const chunk of await new GoogleGenAI({}).models.generateContentStream(ask)) yield chunk.text ?? ''
    },
  },
  {
    name: 'ai with @ai-sdk/openai',
    provider: 'openai',
    plain: async () => (await generateText({ model: createOpenAI()('gpt-5-mini'), prompt })).text,
    async *stream() {
      yield* streamText({ model: createOpenAI()('gpt-5-mini'), prompt }).textStream
    },
  },
  {
    name: 'groq-sdk',
    provider: 'groq',
    plain: async () =>
      (await new Groq().chat.completions.create({ model: 'llama-3.3-70b-versatile', messages })).choices[0]!.message
        .content!,
    async *stream() {
      const ask = { model: 'llama-3.3-70b-versatile', messages, stream: true as const }
      for await (const chunk of await new Groq().chat.completions.create(ask))
        yield chunk.choices[0]?.delta.content ?? ''
    },
  },
]

let till: Till
beforeAll(async () => {
  till = await startTill()
})
afterAll(() => till?.close())
beforeEach(() => {
  till.provider.reset()
  till.provider.says(...words)
})
afterEach(() => vi.unstubAllEnvs())

/** No word is in another's event, so that the events tell which words were sent. */
const words = ['alpha ', 'beta ', 'gämma ', '☃ ', 'omega']

describe.each(clients)('$name, through the broker', { timeout: 20_000 }, (client) => {
  test('a plain answer arrives unchanged, and the provider saw the real credential once and never the key', async () => {
    const minted = await mintFor(client)
    expect(await client.plain()).toBe(words.join(''))
    expectOnlyTheCredential(client, minted)
  })

  test('a streamed answer arrives event by event: each before the provider sends the next', async () => {
    const minted = await mintFor(client)
    const seen: string[] = []
    const waiting: { readonly count: number; readonly resolve: () => void }[] = []
    // The provider holds its next event back until the client has handed over every word that was sent.
    till.provider.next({
      gap: async () => {
        const sent = till.provider.received[0]!.answered
        const count = words.filter((word) => sent.some((event) => event.includes(JSON.stringify(word)))).length
        if (seen.length >= count) return
        await new Promise<void>((resolve) => waiting.push({ count, resolve }))
      },
    })
    for await (const piece of client.stream()) {
      if (piece === '') continue
      seen.push(piece)
      for (const waiter of waiting) if (seen.length >= waiter.count) waiter.resolve()
    }
    expect(seen).toEqual(words)
    expectOnlyTheCredential(client, minted)
  })

  test('with a budget of one the second call is refused at once, once, and the person reads our sentence', async () => {
    const minted = await mintFor(client, 1)
    await client.plain()
    const shown = await client.plain().then(
      () => expect.fail('the second call was answered'),
      (error: unknown) => textOf(error),
    )
    expect(shown).toContain(minted.id)
    expect(shown).toContain(await sentenceOf(client, minted))
    expect(till.provider.received).toHaveLength(1)
    const { receipt } = await till.receipt(minted)
    // One of the two refusals is this test's own.
    expect(receipt.activations).toEqual({ limit: 1, used: 1, given_back: 0, refused: { activations_exhausted: 2 } })
  })
})

/** Mints a key for the client's provider and sets, for this process, what the action would export. */
async function mintFor(client: Client, activations = 5): Promise<MintAnswer> {
  const minted = await till.mint({ providers: [client.provider], activations })
  const variables = variablesOf(client.provider)
  if ('collides' in variables || variables.base === null) expect.fail(`no base URL for ${client.provider}`)
  vi.stubEnv(variables.key, minted.key)
  vi.stubEnv(variables.base, minted.providers[client.provider]!.base_url)
  return minted
}

function expectOnlyTheCredential(client: Client, minted: MintAnswer): void {
  expect(till.provider.received).toHaveLength(1)
  const [received] = till.provider.received
  const credential = till.provider.credentials[client.provider as 'openai']
  expect(received).toMatchObject({ credential: client.provider, state: 'done' })
  expect(received!.rawHeaders.filter(([, value]) => value.includes(credential))).toHaveLength(1)
  expect(JSON.stringify(received)).not.toContain(minted.key)
}

const MODELS: Readonly<Record<string, string>> = {
  openai: '/v1/models',
  anthropic: '/v1/models',
  gemini: '/v1beta/models',
  groq: '/openai/v1/models',
}

/** What the broker says to one more request with this key. */
async function sentenceOf(client: Client, minted: MintAnswer): Promise<string> {
  const answer = await till.fetch(`/proxy/${client.provider}${MODELS[client.provider]}`, {
    headers: { authorization: `Bearer ${minted.key}` },
  })
  expect(answer.status).toBe(410)
  const { error } = (await answer.json()) as { error: { message: string } }
  return error.message
}

/** What a person reads of a thrown error; where it shows the body as JSON, the quotes in it are escaped. */
const textOf = (error: unknown) => String((error as Error).message).replaceAll('\\"', '"')
