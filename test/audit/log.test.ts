import { describe, expect, test } from 'vitest'
import { operatorLog } from '#audit/log.ts'
import { type LogFields, logFields } from '#broker/ports.ts'

function logged(...entries: readonly [event: string, fields?: unknown][]): string[] {
  const lines: string[] = []
  const log = operatorLog({ destination: { write: (line) => void lines.push(line) } })
  for (const [event, fields] of entries) log.info(event, fields as LogFields)
  return lines
}
const parsed = (fields: unknown) => JSON.parse(logged(['event', fields])[0]!)

describe('a line of the operator log', () => {
  test('is one JSON object with level, time and event', () => {
    const [line] = logged(['key.minted', { key_id: 'k_1', limit: 25 }])
    expect(line).toMatch(/^\{.*\}\n$/)
    expect(JSON.parse(line!)).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: 'key.minted',
      key_id: 'k_1',
      limit: 25,
    })
  })

  test('holds no field that is not on the allow list', () => {
    expect(
      Object.keys(
        parsed({
          authorization: 'Bearer x',
          headers: { cookie: 'a' },
          body: 'b',
          url: 'https://example.com/?key=1',
          err: new Error('x'),
          level: 'fatal',
          time: 'then',
          event: 'another',
          msg: 'text',
          pid: 1,
          hostname: 'h',
          __proto__: { key_id: 'inherited' },
          reason: 'aud',
        }),
      ),
    ).toEqual(['level', 'time', 'event', 'reason'])
  })

  test('cannot be given another level, time or event by a field', () => {
    expect(logFields.filter((name) => ['level', 'time', 'event', 'msg'].includes(name))).toEqual([])
  })

  test.each([
    ['line feeds', 'a\nb\r\n{"event":"forged"}'],
    ['terminal escapes', '\u001b[31mred\u0007'],
    ['C1 controls and line separators', '\u0085\u009b\u2028\u2029'],
    ['lone surrogates', '\ud800'],
  ])('T43: has no %s of a value', (_, value) => {
    const lines = logged(['event', { reason: value }])
    expect(lines).toHaveLength(1)
    expect(lines[0]!.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]|\\u00|\\[nr]/)
    expect(JSON.parse(lines[0]!).reason.isWellFormed()).toBe(true)
  })

  test('T43: cuts values to 256 characters, in lists as well', () => {
    const { reason, keys } = parsed({ reason: 'x'.repeat(100_000), keys: ['y'.repeat(300)] })
    expect([reason.length, keys[0].length]).toEqual([256, 256])
  })

  test('holds at most 100 entries of a list', () => {
    expect(parsed({ keys: Array.from({ length: 1000 }, String) }).keys).toHaveLength(100)
  })

  test.each<[string, unknown, unknown]>([
    ['a big integer', 2n ** 80n, '1208925819614629174706176'],
    ['not a number', Number.NaN, null],
    ['null', null, null],
    ['true', true, true],
    ['undefined', undefined, undefined],
    ['a symbol', Symbol('s'), undefined],
    ['a function', () => 'f', undefined],
    ['an error', new Error('sk-live'), undefined],
    ['an object', { toJSON: () => 'secret' }, undefined],
    ['a list of objects', [{ a: 1 }], [null]],
  ])('survives %s', (_, value, shown) => {
    expect(parsed({ reason: value }).reason).toEqual(shown)
  })
})

describe('T40: what looks like a secret is redacted wherever it stands', () => {
  test.each([
    ['a key', 'till_0123456789ABCDEFGHIJabcdefghij0123456789ABCDEFGHIJabcdef'],
    ['an operator token', 'till_admin_0123456789ABCDEFGHIJ'],
    ['an ID token', 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl'],
    ['a key of OpenAI', 'sk-proj-0123456789abcdefghij0123456789'],
    ['a key of Anthropic', 'sk-ant-api03-0123456789abcdefghij'],
    ['a key of Gemini', 'AIzaSyD0123456789abcdefghij0123456789'],
    ['a token of GitHub', 'ghs_0123456789abcdefghij0123456789abcdef'],
    ['an authorization header', 'Bearer 0123456789abcdef'],
    ['a PEM block', '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----'],
  ])('%s', (_, secret) => {
    for (const fields of [
      { reason: `before ${secret} after` },
      { keys: [secret] },
      { code: `x${'y'.repeat(300)} ${secret}` },
    ])
      for (const window of secret.match(/[\w-]{12,}/g) ?? [])
        expect(logged(['event', fields]).join()).not.toContain(window)
    expect(logged([secret]).join()).toContain('[redacted]')
  })

  test('and names, ids and codes are not', () => {
    const fields = {
      key_id: 'k_0123456789ABCDEFGHIJKL',
      policy: 'review',
      issuer: 'https://token.actions.githubusercontent.com',
    }
    expect(parsed(fields)).toMatchObject(fields)
  })
})

test('the level says what is not written', () => {
  const lines: string[] = []
  const log = operatorLog({ destination: { write: (line) => void lines.push(line) }, level: 'warn' })
  log.info('a')
  log.warn('b')
  log.error('c')
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(['warn', 'error'])
})
