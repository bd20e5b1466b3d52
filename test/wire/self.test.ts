import { expect, test } from 'vitest'
import { selfAnswer } from '#wire/self.ts'

const SELF = {
  id: 'k_0123456789ABCDEFGHIJKL',
  policy: 'review',
  state: 'active',
  activations: { limit: 25, used: 5, remaining: 20 },
  expires_at: 1_795_190_400,
  scope: { routes: ['POST /v1/responses'], models: null },
  providers: { openai: { base_url: 'https://till.example.com/proxy/openai/v1' } },
}

test('what a key may still do is of the shape', () => {
  expect(selfAnswer(SELF, '')).toEqual(SELF)
})

test.each<[string, object]>([
  ['id', { id: '' }],
  ['state', { state: 'ended' }],
  ['activations.used', { activations: { limit: 1, used: -1, remaining: 1 } }],
  ['expires_at', { expires_at: null }],
  ['scope.routes', { scope: { models: null } }],
  ['providers.openai.base_url', { providers: { openai: { base_url: 'javascript:x' } } }],
])('%s of another shape is refused by its name', (field, changes) => {
  expect(() => selfAnswer({ ...SELF, ...changes }, '')).toThrow(field)
})
