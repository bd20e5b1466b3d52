import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AnswerParser } from '#proxy/answer-parser.ts'

/** What is told of the head of an answer without a body; `null` when it cannot be read. */
function headOf(text: string): { status: number; headers: readonly string[] } | null {
  let head: ReturnType<typeof headOf> = null
  const sink = {
    onHead(status: number, headers: readonly string[]) {
      head = { status, headers }
    },
    onData() {},
  }
  new AnswerParser('HEAD', sink).push(Buffer.from(text, 'latin1'))
  return head
}

/** Of few characters, so that many names are alike in length, beginning, middle and end. */
const names = fc.string({ unit: fc.constantFrom('a', 'b', 'A', 'B', '-'), minLength: 1, maxLength: 8 })

test('every name is told in lower case as it was written, however alike names are', () => {
  fc.assert(
    fc.property(fc.array(names, { minLength: 1, maxLength: 40 }), (written) => {
      const head = headOf(`HTTP/1.1 200 OK\r\n${written.map((name) => `${name}: 1\r\n`).join('')}\r\n`)
      expect(head?.headers).toEqual(written.flatMap((name) => [name.toLowerCase(), '1']))
    }),
  )
})

test.each([
  ['HTTP/1.1 200 OK', 200],
  ['HTTP/1.0 404 Not Found', 404],
  ['HTTP/1.1 599', 599],
  ['HTTP/1.1 200 ', 200],
  ['HTTP/1.1 200 \xe9\tb', 200],
])('the status of %j is %i', (line, status) => {
  expect(headOf(`${line}\r\n\r\n`)?.status).toBe(status)
})

test.each([
  'HTTP/1.2 200 OK',
  'HTTP/2 200 OK',
  'http/1.1 200 OK',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 600 OK',
  'HTTP/1.1 000 OK',
  'HTTP/1.1 2x0 OK',
  'HTTP/1.1 200\tOK',
  'HTTP/1.1 200OK',
  'HTTP/1.1\t200 OK',
  'HTTP/1.1',
])('%j is no status line', (line) => {
  expect(headOf(`${line}\r\n\r\n`)).toBeNull()
})

test('what stands in no line is refused wherever it stands', () => {
  const text = 'HTTP/1.1 200 OK\r\nname: value:\r\nother: more'
  for (const one of ['\0', '\x08', '\n', '\x0b', '\r', '\x1f', '\x7f'])
    for (let at = 0; at <= text.length; at++) {
      const bad = `${text.slice(0, at)}${one}${text.slice(at)}`
      // Beside the end of a line a second CR or LF is as wrong as anywhere else.
      expect([bad, headOf(`${bad}\r\n\r\n`)]).toEqual([bad, null])
    }
  for (const one of ['\r', '\n', '\r ', ' \n', '\n\r'])
    expect(headOf(`HTTP/1.1 200 OK\r\na: 1${one}b: 2\r\n\r\n`)).toBeNull()
  expect(headOf('HTTP/1.1 200 OK\r\na: 1\rxb: 2\r\n\r\n')).toBeNull()
})

test('a line without a name, with a blank before the colon or without a colon is refused', () => {
  for (const line of [': 1', ' a: 1', 'a : 1', 'a\t: 1', 'a', 'a b: 1', '\xe9: 1'])
    expect(headOf(`HTTP/1.1 200 OK\r\nb: 2\r\n${line}\r\nc: 3\r\n\r\n`)).toBeNull()
})
