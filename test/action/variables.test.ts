import { expect, test } from 'vitest'
import { variablesOf } from '#action/variables.ts'
import { presets } from '#domain/presets.ts'

test.each([
  ['openai', 'OPENAI_API_KEY', 'OPENAI_BASE_URL'],
  ['anthropic', 'ANTHROPIC_API_KEY', 'ANTHROPIC_BASE_URL'],
  ['gemini', 'GEMINI_API_KEY', 'GOOGLE_GEMINI_BASE_URL'],
  ['groq', 'GROQ_API_KEY', 'GROQ_BASE_URL'],
  ['mistral', 'MISTRAL_API_KEY', null],
  ['cohere', 'CO_API_KEY', null],
  ['openrouter', 'OPENROUTER_API_KEY', 'OPENROUTER_BASE_URL'],
  ['together', 'TOGETHER_API_KEY', 'TOGETHER_BASE_URL'],
  ['fireworks', 'FIREWORKS_API_KEY', 'FIREWORKS_BASE_URL'],
  ['perplexity', 'PERPLEXITY_API_KEY', 'PERPLEXITY_BASE_URL'],
  ['deepseek', 'DEEPSEEK_API_KEY', 'DEEPSEEK_BASE_URL'],
  ['xai', 'XAI_API_KEY', 'XAI_BASE_URL'],
  ['billing', 'BILLING_API_KEY', 'BILLING_BASE_URL'],
  ['my-own-2', 'MY_OWN_2_API_KEY', 'MY_OWN_2_BASE_URL'],
])('%s sets %s and %s', (provider, key, base) => {
  expect(variablesOf(provider)).toEqual({ key, base })
})

test('every preset has variables that no other preset has', () => {
  const names = [...presets.keys()].flatMap((provider) => {
    const variables = variablesOf(provider)
    return 'key' in variables ? [variables.key, variables.base ?? `${provider}: none`] : [variables.collides]
  })
  expect(new Set(names).size).toBe(presets.size * 2)
})

test.each([
  'co',
  'google-gemini',
  'google',
  'copilot-provider',
  'codex',
  'github',
  'github-models',
  'runner',
  'actions',
  'actions-x',
  'node',
  'npm-config',
  'ld',
  'bash',
  'kimi',
  'till',
])('a custom provider %s is refused, since something else reads its variables', (provider) => {
  expect(variablesOf(provider)).toHaveProperty('collides')
})

test.each(['git', 'npm', 'path', 'github2', 'nodes'])(
  'a custom provider %s is free: nothing reads its variables',
  (name) => {
    expect(variablesOf(name)).toHaveProperty('key')
  },
)
