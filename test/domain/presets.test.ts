import { describe, expect, test } from 'vitest'
import { presets } from '#domain/presets.ts'
import { formatRoute, routeCovers } from '#domain/route.ts'
import { place } from '#domain/scope.ts'
import { canonicalPath, parseProxyTarget } from '#domain/target.ts'

const every = [...presets.values()]

test('there are twelve', () => {
  expect([...presets.keys()].join(' ')).toBe(
    'openai anthropic gemini mistral groq openrouter together fireworks perplexity deepseek xai cohere',
  )
})

describe('where each stands, and what its SDK is to be pointed at', () => {
  test.each([
    ['openai', 'https://api.openai.com', 'authorization: Bearer {credential}', '/v1', 'body'],
    ['anthropic', 'https://api.anthropic.com', 'x-api-key: {credential}', '', 'body'],
    ['gemini', 'https://generativelanguage.googleapis.com', 'x-goog-api-key: {credential}', '', 'path'],
    ['mistral', 'https://api.mistral.ai', 'authorization: Bearer {credential}', '', 'body'],
    ['groq', 'https://api.groq.com', 'authorization: Bearer {credential}', '', 'body'],
    ['openrouter', 'https://openrouter.ai', 'authorization: Bearer {credential}', '/api/v1', 'body'],
    ['together', 'https://api.together.xyz', 'authorization: Bearer {credential}', '/v1', 'body'],
    ['fireworks', 'https://api.fireworks.ai', 'authorization: Bearer {credential}', '/inference/v1', 'body'],
    ['perplexity', 'https://api.perplexity.ai', 'authorization: Bearer {credential}', '/v1', 'body'],
    ['deepseek', 'https://api.deepseek.com', 'authorization: Bearer {credential}', '', 'body'],
    ['xai', 'https://api.x.ai', 'authorization: Bearer {credential}', '/v1', 'body'],
    ['cohere', 'https://api.cohere.com', 'authorization: Bearer {credential}', '', 'body'],
  ])('%s', (name, origin, header, base, model) => {
    const preset = presets.get(name)!
    const written = `${preset.header.name}: ${preset.header.before}{credential}${preset.header.after}`
    expect([preset.name, preset.origin, written, preset.base, preset.model]).toEqual([
      name,
      origin,
      header,
      base,
      model,
    ])
  })
})

describe('what clients send, and where it falls', () => {
  test.each([
    ['Claude Code', 'POST', '/proxy/anthropic/v1/messages?beta=true', 'charged', '/v1/messages'],
    [
      'Claude Code counting',
      'POST',
      '/proxy/anthropic/v1/messages/count_tokens?beta=true',
      'free',
      '/v1/messages/count_tokens',
    ],
    ['@anthropic-ai/sdk with /v1 in its base', 'POST', '/proxy/anthropic/v1/v1/messages', 'charged', '/v1/messages'],
    ['@ai-sdk/anthropic without /v1 in its base', 'POST', '/proxy/anthropic/messages', 'charged', '/v1/messages'],
    ['Codex', 'POST', '/proxy/openai/v1/responses', 'charged', '/v1/responses'],
    [
      'Codex, when its context is full',
      'POST',
      '/proxy/openai/v1/responses/compact',
      'charged',
      '/v1/responses/compact',
    ],
    ['openai with its root as base', 'POST', '/proxy/openai/responses', 'charged', '/v1/responses'],
    ['Copilot, qwen-code', 'POST', '/proxy/openai/v1/chat/completions', 'charged', '/v1/chat/completions'],
    ['openai listing models', 'GET', '/proxy/openai/v1/models?limit=20&after=m', 'free', '/v1/models'],
    ['openai asking for one', 'GET', '/proxy/openai/v1/models/gpt-5-mini', 'free', '/v1/models/gpt-5-mini'],
    ['openai counting', 'POST', '/proxy/openai/v1/responses/input_tokens', 'free', '/v1/responses/input_tokens'],
    [
      'gemini-cli',
      'POST',
      '/proxy/gemini/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse',
      'charged',
      '/v1beta/models/gemini-3-pro:streamGenerateContent',
    ],
    ['@google/genai 3', 'POST', '/proxy/gemini/v1/models/g:generateContent', 'charged', '/v1/models/g:generateContent'],
    [
      'gemini-cli counting',
      'POST',
      '/proxy/gemini/v1beta/models/g:countTokens',
      'free',
      '/v1beta/models/g:countTokens',
    ],
    ['groq-sdk', 'POST', '/proxy/groq/openai/v1/chat/completions', 'charged', '/openai/v1/chat/completions'],
    ['@mistralai/mistralai', 'POST', '/proxy/mistral/v1/chat/completions', 'charged', '/v1/chat/completions'],
    ['cohere-ai', 'POST', '/proxy/cohere/v2/chat', 'charged', '/v2/chat'],
    ['grok', 'GET', '/proxy/xai/v1/models', 'free', '/v1/models'],
    ['Claude Code on OpenRouter', 'POST', '/proxy/openrouter/api/v1/messages', 'charged', '/api/v1/messages'],
    ['Claude Code on DeepSeek', 'POST', '/proxy/deepseek/anthropic/v1/messages', 'charged', '/anthropic/v1/messages'],
  ])('%s: %s %s is %s, as %s', (_, method, raw, kind, sent) => {
    const target = parseProxyTarget(raw)
    if (target.kind === 'refused') throw new Error(target.sentence)
    const provider = presets.get(target.provider)!
    const path = canonicalPath(provider, target.path)
    const scope = { routes: new Map([[provider.name, provider.routes]]), models: null }
    expect([path, place(scope, provider, method, path).kind]).toEqual([sent, kind])
  })

  test.each([
    ['openai', 'POST', '/v1/files'],
    ['openai', 'POST', '/v1/batches'],
    ['openai', 'POST', '/v1/fine_tuning/jobs'],
    ['openai', 'GET', '/v1/responses/resp_1'],
    ['openai', 'DELETE', '/v1/models/gpt-mine'],
    ['openai', 'POST', '/v1/organization/admin_api_keys'],
    ['anthropic', 'POST', '/v1/messages/batches'],
    ['gemini', 'POST', '/v1beta/models/g:batchGenerateContent'],
    ['gemini', 'POST', '/v1beta/models/g:predictLongRunning'],
    ['gemini', 'POST', '/v1beta/cachedContents'],
    ['openrouter', 'GET', '/api/v1/key'],
    ['deepseek', 'GET', '/user/balance'],
  ])('%s: %s %s is outside', (name, method, path) => {
    const provider = presets.get(name)!
    const scope = { routes: new Map([[name, provider.routes]]), models: null }
    expect(place(scope, provider, method, path)).toEqual({ kind: 'outside', what: 'route' })
  })
})

describe.each(every.map((preset) => [preset.name, preset] as const))('%s', (_, preset) => {
  test('spells its routes as they are sent', () => {
    for (const { path } of [...preset.routes, ...preset.free]) expect(canonicalPath(preset, path)).toBe(path)
  })

  test('has no route that is both free and not', () => {
    for (const route of preset.routes)
      for (const free of preset.free) {
        expect(routeCovers(free, route), formatRoute(route)).toBe(false)
        expect(routeCovers(route, free), formatRoute(free)).toBe(false)
      }
  })

  test('charges for POST alone', () => {
    expect([...new Set(preset.routes.map(({ method }) => method))]).toEqual(['POST'])
  })

  test('has a base under its prefix', () => {
    if (preset.prefix !== null && preset.base !== '') expect(preset.base).toBe(preset.prefix)
  })
})
