import { expect, test } from 'vitest'
import { accounted, RECEIPT } from '#test/support/fake-broker.ts'
import { receiptAnswer } from '#wire/receipt.ts'
import { ShapeError } from '#wire/shape.ts'

test('the receipt of the domain is of the shape, and nothing of it is lost', () => {
  expect(receiptAnswer(accounted(), '')).toEqual(accounted())
})

test('a living key has no end', () => {
  const alive = accounted({ ended_at: null, end_reason: null, first_used_at: null, last_used_at: null })
  expect(receiptAnswer(alive, '')).toEqual(alive)
})

test('what a newer broker adds is left out', () => {
  const newer = { ...accounted({ newer: 1 } as object), newer: 1 }
  expect(receiptAnswer(newer, '')).toEqual(accounted())
})

test.each(Object.keys(RECEIPT))('a receipt without %s is none', (name) => {
  const { [name as keyof typeof RECEIPT]: _, ...rest } = RECEIPT
  expect(() => receiptAnswer({ ...accounted(), receipt: rest }, '')).toThrow(ShapeError)
})

const { activations, job, audit, usage } = RECEIPT
test.each<[string, object]>([
  ['key_id', { key_id: 'k_' }],
  ['policy', { policy: 'a b' }],
  ['job.repository', { job: { ...job, repository: 'a\nb' } }],
  ['job.run_id', { job: { ...job, run_id: 7001 } }],
  ['job.ref', { job: { ...job, ref: 'x'.repeat(257) } }],
  ['job.actor', { job: { ...job, actor: undefined } }],
  ['providers', { providers: [] }],
  ['providers[0]', { providers: ['__proto__'] }],
  ['activations.limit', { activations: { ...activations, limit: 0 } }],
  ['activations.used', { activations: { ...activations, used: -1 } }],
  ['activations.given_back', { activations: { ...activations, given_back: 1.5 } }],
  ['activations.refused', { activations: { ...activations, refused: { 'A b': 1 } } }],
  ['activations.refused.scope_denied', { activations: { ...activations, refused: { scope_denied: '1' } } }],
  ['minted_at', { minted_at: '2026-11-20' }],
  ['expires_at', { expires_at: Number.POSITIVE_INFINITY }],
  ['ended_at', { ended_at: -1 }],
  ['end_reason', { end_reason: 'lost' }],
  ['routes[0].route', { routes: [{ provider: 'openai', route: 'a\nb', activations: 1 }] }],
  ['models', { models: { 'a\u0000b': 1 } }],
  ['usage.input_tokens', { usage: { ...usage, input_tokens: '9' } }],
  ['audit.head', { audit: { ...audit, head: 'A'.repeat(64) } }],
])('%s of another shape is refused by its name', (field, changes) => {
  const read = () => receiptAnswer(accounted(changes), '')
  expect(read).toThrow(ShapeError)
  expect(read).toThrow(`receipt.${field}`)
})

test.each(['', 'a.b', 'a.b.c.d', 'a.b.c\n', 'a.b.=', '<a>.b.c'])('%j is no JWS', (jws) => {
  expect(() => receiptAnswer({ ...accounted(), jws }, '')).toThrow('jws')
})
