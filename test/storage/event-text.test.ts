import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AuditEvent, eventText } from '#domain/audit-event.ts'
import { fastEventText } from '#storage/event-text.ts'

/** Often what the event before had. */
const text = fc.oneof(fc.constantFrom('a', 'b'), fc.string({ unit: 'binary' }))
const count = fc.integer({ min: 0 })
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const place = {
  chain: text,
  seq: count,
  at: fc.oneof(fc.constantFrom(0, 1), fc.double({ noNaN: true, noDefaultInfinity: true })),
  prev: fc.stringMatching(/^[0-9a-f]{64}$/),
  request_id: text,
  provider: text,
  route: text,
  model: orNull(text),
}

const activation = fc.record({ type: fc.constant('activation' as const), used: count, ...place })
const finished = fc.record({
  type: fc.constant('request.finished' as const),
  free: fc.boolean(),
  status: orNull(count),
  outcome: fc.constantFrom('answered' as const, 'client_gone' as const, 'cut' as const),
  bytes_in: count,
  bytes_out: count,
  milliseconds: fc.double({ noNaN: true, noDefaultInfinity: true }),
  input_tokens: orNull(count),
  output_tokens: orNull(count),
  ...place,
})

test.each<[string, fc.Arbitrary<AuditEvent>]>([
  ['an activation', activation],
  ['a finished request', finished],
])('the fast text of %s is its canonical JSON', (_, events) => {
  fc.assert(fc.property(events, (event) => outcome(fast, event) === outcome(eventText, event)))
})

test.each(['at', 'used'] as const)('a number that is not finite is not written: %s', (field) => {
  const [event] = fc.sample(activation, { seed: 1, numRuns: 1 })
  expect(() => fast({ ...event!, [field]: Number.NaN })).toThrow(TypeError)
})

function fast(event: AuditEvent): string {
  return fastEventText(event, event)
}

/** Lone surrogates are refused by both. */
function outcome(write: (event: AuditEvent) => string, event: AuditEvent): string {
  try {
    return write(event)
  } catch (error) {
    return (error as Error).name
  }
}
