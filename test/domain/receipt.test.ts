import { describe, expect, test } from 'vitest'
import { type AuditEvent, type AuditFact, FIRST_PREV, jobRecord } from '#domain/audit-event.ts'
import { MOST_MODELS, receiptOf } from '#domain/receipt.ts'
import { aJob } from './subjects.ts'

const minted: AuditFact = {
  type: 'key.minted',
  policy: 'review',
  job: jobRecord(aJob()),
  providers: ['openai'],
  limit: 5,
  expires_at: 4600,
  idle_after: null,
  scope: { routes: ['POST /v1/responses'], models: null },
}

const activation = (n: number, part: { provider?: string; route?: string; model?: string | null } = {}): AuditFact => ({
  type: 'activation',
  request_id: `r${n}`,
  provider: part.provider ?? 'openai',
  route: part.route ?? 'POST /v1/responses',
  model: part.model ?? null,
  used: n,
})

const finished = (n: number, input: number | null = null, output: number | null = null): AuditFact => ({
  type: 'request.finished',
  request_id: `r${n}`,
  provider: 'openai',
  route: 'POST /v1/responses',
  free: false,
  status: 200,
  outcome: 'answered',
  bytes_in: 1,
  bytes_out: 1,
  milliseconds: 1,
  model: null,
  input_tokens: input,
  output_tokens: output,
})

const givenBack = (n: number): AuditFact => ({ type: 'activation.given_back', request_id: `r${n}`, reason: 'connect' })
const refused = (code: 'scope_denied' | 'activations_exhausted', count: number): AuditFact => ({
  type: 'request.refused',
  code,
  provider: 'openai',
  route: 'POST /v1/files',
  model: null,
  count,
})

/** The facts at 1000, 1001, 1002 and so on; the hash of the nth is `h` and n. */
function receiptFor(...facts: readonly AuditFact[]) {
  const fold = receiptOf()
  facts.forEach((fact, i) => {
    fold.add({ ...fact, chain: 'k_1', seq: i + 1, at: 1000 + i, prev: FIRST_PREV } as AuditEvent, `h${i + 1}`)
  })
  return fold.receipt()
}

describe('a receipt', () => {
  test('of a key that was only minted has nothing spent and no end', () => {
    expect(receiptFor(minted)).toEqual({
      key_id: 'k_1',
      policy: 'review',
      job: jobRecord(aJob()),
      providers: ['openai'],
      activations: { limit: 5, used: 0, given_back: 0, refused: {} },
      minted_at: 1000,
      expires_at: 4600,
      first_used_at: null,
      last_used_at: null,
      ended_at: null,
      end_reason: null,
      routes: [],
      models: {},
      usage: { input_tokens: null, output_tokens: null },
      audit: { events: 1, head: 'h1' },
    })
  })

  test('counts what was used, when it began and when it last happened', () => {
    expect(receiptFor(minted, activation(1), finished(1), activation(2))).toMatchObject({
      activations: { used: 2 },
      first_used_at: 1001,
      last_used_at: 1003,
      audit: { events: 4, head: 'h4' },
    })
  })

  test('counts an activation that was given back as not used, under its route and model too', () => {
    const receipt = receiptFor(
      minted,
      activation(1, { model: 'gpt-5' }),
      givenBack(1),
      activation(2, { model: 'gpt-5-mini' }),
      finished(2),
    )
    expect(receipt.activations).toMatchObject({ used: 1, given_back: 1 })
    expect(receipt.routes).toEqual([{ provider: 'openai', route: 'POST /v1/responses', activations: 1 }])
    expect(receipt.models).toEqual({ 'gpt-5-mini': 1 })
  })

  test('does not have a route whose activations were all given back', () => {
    expect(receiptFor(minted, activation(1), givenBack(1)).routes).toEqual([])
  })

  test('has a route of two providers twice', () => {
    const { routes } = receiptFor(minted, activation(1), activation(2, { provider: 'groq' }))
    expect(routes.map(({ provider, activations }) => [provider, activations])).toEqual([
      ['openai', 1],
      ['groq', 1],
    ])
  })

  test('adds refusals up by code', () => {
    const { activations } = receiptFor(
      minted,
      refused('scope_denied', 3),
      refused('activations_exhausted', 1),
      refused('scope_denied', 2),
    )
    expect(activations.refused).toEqual({ scope_denied: 5, activations_exhausted: 1 })
  })

  test('has the routes that were used, most used first', () => {
    const receipt = receiptFor(
      minted,
      activation(1, { route: 'POST /a' }),
      activation(2, { route: 'POST /b' }),
      activation(3, { route: 'POST /b' }),
    )
    expect(receipt.routes.map(({ route, activations }) => [route, activations])).toEqual([
      ['POST /b', 2],
      ['POST /a', 1],
    ])
  })

  test('adds tokens up where a provider told them, each by itself', () => {
    expect(receiptFor(minted, finished(1, 10, null), finished(2), finished(3, 5, null)).usage).toEqual({
      input_tokens: 15,
      output_tokens: null,
    })
    expect(receiptFor(minted, finished(1, null, 10), finished(2), finished(3, null, 5)).usage).toEqual({
      input_tokens: null,
      output_tokens: 15,
    })
  })

  test('tells when and how the key ended', () => {
    expect(receiptFor(minted, { type: 'key.ended', reason: 'idle' })).toMatchObject({
      ended_at: 1001,
      end_reason: 'idle',
    })
  })

  test('takes models that a job named as data', () => {
    const { models } = receiptFor(
      minted,
      activation(1, { model: '__proto__' }),
      activation(2, { model: 'constructor' }),
    )
    expect(Object.entries(models)).toEqual([
      ['__proto__', 1],
      ['constructor', 1],
    ])
  })

  test('has at most 200 models, and counts the rest together, less what was given back', () => {
    const { models } = receiptFor(
      minted,
      ...Array.from({ length: 251 }, (_, n) => activation(n, { model: `m${n}` })),
      activation(251, { model: 'm0' }),
      givenBack(250),
    )
    expect(Object.keys(models)).toHaveLength(MOST_MODELS + 1)
    expect(models).toMatchObject({ m0: 2, '*': 50 })
  })

  test('is not made of a chain without its beginning', () => {
    expect(() => receiptFor(activation(1))).toThrow()
  })
})
