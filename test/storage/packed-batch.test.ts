import { isDeepStrictEqual } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BatchAnswer } from '#storage/call-queue.ts'
import { packAnswer, unpackAnswer } from '#storage/sqlite/packed-answer.ts'
import { packBatch, unpackBatch } from '#storage/sqlite/packed-batch.ts'
import type { Call } from '#storage/sqlite/verbs.ts'

/** Often what the call before has, else anything: separators, control characters, lone surrogates. */
const text = fc.oneof(fc.constantFrom('', 'a', 'b\n'), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }))
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -0))
const target = { provider: text, route: text, model: orNull(text) }

const charge = fc
  .record({ requestId: text, ...target })
  .chain((request) => fc.tuple(fc.constant('charge' as const), text, fc.constant(request), number))
const finished = fc.record({
  type: fc.constant('request.finished'),
  request_id: text,
  ...target,
  free: fc.boolean(),
  status: orNull(number),
  outcome: fc.constantFrom('answered', 'client_gone', 'provider_timeout', 'credential_rejected', 'unheard_of'),
  bytes_in: number,
  bytes_out: number,
  milliseconds: number,
  input_tokens: orNull(number),
  output_tokens: orNull(number),
})
const refused = fc.record({ type: fc.constant('request.refused'), code: text, ...target, count: number })
const record = fc.tuple(fc.constant('record' as const), text, fc.oneof(finished, refused), number)
const other = fc.constantFrom<Call>(['probe'], ['state', 'k_1', 0], ['end', 'k_1', 'revoked_by_operator', 0, undefined])
const calls = fc.array(fc.oneof(charge, record, other)) as fc.Arbitrary<Call[]>

const ways: readonly (readonly [string, <T>(value: T) => T])[] = [
  ['threads', structuredClone],
  ['processes', (value) => deserialize(serialize(value))],
]

test.each(ways)('between %s the calls that cross are the calls that arrive', (_, cross) => {
  fc.assert(fc.property(calls, (sent) => isDeepStrictEqual(unpackBatch(cross(packBatch(sent))), structuredClone(sent))))
})

test('what a call has in common with the one before crosses once', () => {
  const request = { requestId: 'r', provider: 'openai', route: 'POST /v1/responses', model: 'gpt-5' }
  const [, texts] = packBatch(Array.from({ length: 3 }, () => ['charge', 'k_1', request, 1]))
  expect(texts).toEqual(['k_1', 'openai', 'POST /v1/responses', 'gpt-5', 'r', 'r', 'r'])
})

const activation = fc.record({ kind: fc.constant('activation'), used: fc.integer({ min: 1 }), limit: fc.integer() })
const dead = fc.record({ kind: fc.constant('refused'), code: text, used: fc.nat(), limit: fc.integer() })
const result = fc.oneof(activation, dead, fc.constant(undefined), fc.constant(null), fc.integer(), text)
const answers = fc.record({
  results: fc.array(result),
  failures: fc.array(fc.tuple(fc.nat(), text)),
  broken: orNull(text),
}) as fc.Arbitrary<BatchAnswer>

test.each(ways)('between %s the answers that cross are the answers that arrive', (_, cross) => {
  fc.assert(
    fc.property(answers, (sent) => isDeepStrictEqual(unpackAnswer(cross(packAnswer(sent))), structuredClone(sent))),
  )
})
