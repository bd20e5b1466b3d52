import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AuditEvent, canonicalJson, eventText, FIRST_PREV, jobRecord, recordable } from '#domain/audit-event.ts'
import vectors from '../vectors/rfc8785.json' with { type: 'json' }
import { aJob } from './subjects.ts'

describe('canonicalJson()', () => {
  test.each(vectors.canonical)('RFC 8785: $name', ({ input, output }) => {
    expect(canonicalJson(JSON.parse(input))).toBe(output)
  })

  test.each(vectors.numbers)('the number with the bits %s is %s', (hex, text) => {
    expect(canonicalJson(Buffer.from(hex!, 'hex').readDoubleBE())).toBe(text)
  })

  test('is the same for the same value in any order of members, and reads back as it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = canonicalJson(value)
        expect(canonicalJson(reversed(value))).toBe(text)
        expect(canonicalJson(JSON.parse(text))).toBe(text)
      }),
    )
  })

  test.each([
    [NaN],
    [Infinity],
    ['\ud800'],
    [undefined],
    [1n],
    [() => 1],
    [{ a: undefined }],
    [['\udc00']],
    [{ '\ud800': 1 }],
  ])('throws for what I-JSON cannot hold: %s', (value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError)
  })
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  )
}

test('the text of an event holds every field, its place in the chain too', () => {
  const event: AuditEvent = {
    type: 'key.ended',
    reason: 'expired',
    chain: 'k_1',
    seq: 7,
    at: 1000.5,
    prev: FIRST_PREV,
  }
  expect(eventText(event)).toBe(
    `{"at":1000.5,"chain":"k_1","prev":"${'0'.repeat(64)}","reason":"expired","seq":7,"type":"key.ended"}`,
  )
})

describe('recordable()', () => {
  test.each([
    ['a plain text stays', 'refs/heads/main', 'refs/heads/main'],
    ['controls and line breaks', 'a\n\r\t\u0000\u001b\u009b\u2028b', 'a\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdb'],
    ['what turns the direction of reading', 'a\u202eb\u2066', 'a\ufffdb\ufffd'],
    ['a lone surrogate', 'a\ud800', 'a\ufffd'],
  ])('%s', (_, text, expected) => {
    expect(recordable(text)).toBe(expected)
  })

  test('is at most 256 code units, and can always be written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
        expect(recordable(text).length).toBeLessThanOrEqual(256)
        expect(() => canonicalJson(recordable(text))).not.toThrow()
      }),
    )
  })
})

test('jobRecord() has the job as it stands in events, and null for what its token does not tell', () => {
  expect(jobRecord(aJob({ check_run_id: undefined, ref: 'refs/heads/a\nb' }))).toMatchObject({
    issuer: 'https://token.actions.githubusercontent.com',
    repository_id: '101',
    check_run_id: null,
    ref: 'refs/heads/a\ufffdb',
    sha: null,
    event_name: 'push',
  })
})
