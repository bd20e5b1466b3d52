import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { credentialForms } from '#domain/credential-forms.ts'
import { redactors } from '#proxy/redactor.ts'
import { encodedCredentials } from '#test/domain/encoded-credentials.ts'

const CREDENTIAL = 'sk-live-Zq8/xY+3_vB5nM7wK2"pL9\\q&z~'
const bearer = { name: 'api', header: { name: 'authorization', before: 'Bearer ', after: '' } }
const redactorFor = redactors()
const redactor = (credential = CREDENTIAL, provider = bearer) => redactorFor(provider, credential)

/** What leaves when the text comes in these pieces. */
function redacted(pieces: readonly (string | Buffer)[], credential?: string, provider = bearer): string {
  const one = redactor(credential, provider)
  return (
    pieces.map((piece) => one.push(Buffer.from(piece as string, 'latin1')).toString('latin1')).join('') +
    one.end().toString('latin1')
  )
}

const shifted = (shift: number) => Buffer.from('x'.repeat(shift) + CREDENTIAL)
const hex = Buffer.from(CREDENTIAL).toString('hex')
const percent = hex.replaceAll(/../g, '%$&')
const unicode = hex.replaceAll(/../g, '\\u00$&')
/** Each encoding, and how much of it the credential alone decides. */
const forms: readonly (readonly [name: string, text: string])[] = [
  ['as it is', CREDENTIAL],
  ['base64', shifted(0).toString('base64').replaceAll('=', '')],
  ['base64, one byte later', shifted(1).toString('base64').replaceAll('=', '').slice(2)],
  ['base64, two bytes later', shifted(2).toString('base64').replaceAll('=', '').slice(3)],
  ['base64url', shifted(0).toString('base64url')],
  ['base64url, one byte later', shifted(1).toString('base64url').slice(2)],
  ['base64url, two bytes later', shifted(2).toString('base64url').slice(3)],
  ['hex', hex],
  ['hex in capitals', hex.toUpperCase()],
  ['encodeURIComponent', encodeURIComponent(CREDENTIAL)],
  [
    'encodeURIComponent in small letters',
    encodeURIComponent(CREDENTIAL).replaceAll(/%../g, (text) => text.toLowerCase()),
  ],
  ['a form', new URLSearchParams([['a', CREDENTIAL]]).toString().slice(2)],
  ['percent-encoded throughout', percent],
  ['percent-encoded throughout, in capitals', percent.toUpperCase()],
  ['JSON', JSON.stringify(CREDENTIAL).slice(1, -1)],
  ['JSON with escaped slashes', JSON.stringify(CREDENTIAL).slice(1, -1).replaceAll('/', '\\/')],
  ['JSON with every character escaped', unicode],
  [
    'JSON with every character escaped, in capitals',
    unicode.replaceAll(/[0-9a-f]{2}(?=\\|$)/g, (text) => text.toUpperCase()),
  ],
  ['HTML', CREDENTIAL.replaceAll('&', '&amp;').replaceAll('"', '&quot;')],
]

test.each(forms)(
  'T20, G17: the credential %s is struck out at every split, and nothing around it is',
  (_name, form) => {
    const text = `{"a":"${form}"} and more`
    const whole = redacted([text])
    expect(whole).toHaveLength(text.length)
    expect(whole.startsWith('{"a":"')).toBe(true)
    expect(whole.endsWith('"} and more')).toBe(true)
    // The last digit of base64 also holds bits of what follows, and stays.
    expect(whole).toContain('*'.repeat(form.length - 1))
    for (let at = 1; at < text.length; at++) expect(redacted([text.slice(0, at), text.slice(at)])).toBe(whole)
    expect(redacted([...text])).toBe(whole)
  },
)

test.each(encodedCredentials)(
  'T20, G17: what $encoder writes of $credential is struck out at every split, and known in a header',
  ({ credential, text }) => {
    const answer = `"${text}" and more`
    const filler = credential.includes('*') ? '#' : '*'
    const struck = `"${filler.repeat(text.length)}" and more`
    for (let at = 0; at < answer.length; at++)
      expect(redacted([answer.slice(0, at), answer.slice(at)], credential)).toBe(struck)
    expect(redacted([...answer], credential)).toBe(struck)
    expect(redactor(credential).isIn(answer)).toBe(true)
  },
)

test('G17: for any text around any credential in any pieces, no form is left, and no other byte is changed', () => {
  const credential = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 8,
    maxLength: 60,
  })
  const around = fc.string({ maxLength: 40 })
  fc.assert(
    fc.property(credential, around, around, fc.array(fc.nat(100), { maxLength: 6 }), (secret, before, after, cuts) => {
      const bytes = Buffer.from(before + secret + after).toString('latin1')
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]
      const pieces = places.slice(1).map((end, n) => bytes.slice(places[n], end))
      const out = redacted(pieces, secret)
      expect(out).toHaveLength(bytes.length)
      expect(out).not.toContain(secret)
      const at = bytes.indexOf(secret)
      // A backslash before what is not a letter or digit belongs to it: what is struck out begins there.
      const isEscaped = bytes[at - 1] === '\\' && /[^A-Za-z0-9]/.test(secret[0]!)
      if (!isEscaped && !bytes.includes(secret, at + 1))
        expect(out.slice(0, at)).toBe(bytes.slice(0, at).replaceAll(secret, ''))
      expect(out).toBe(redacted([bytes], secret))
    }),
    { numRuns: 300 },
  )
})

/** What leaves with each piece, and at the end, told by looking at every place for every form. */
function leaving(pieces: readonly string[], forms: readonly string[], filler: string): string[] {
  let text = ''
  let left = 0
  const out: string[] = []
  const struck: boolean[] = []
  const most = Math.max(...forms.map((form) => form.length))
  for (const piece of pieces) {
    for (const byte of piece) {
      text += byte
      const end = text.slice(-most)
      const longest = Math.max(0, ...forms.filter((form) => end.endsWith(form)).map((form) => form.length))
      for (let i = text.length - longest; i < text.length; i++) struck[i] = true
    }
    const isOpen = (rest: string) => forms.some((form) => form.length > rest.length && form.startsWith(rest))
    let open = Math.max(0, text.length - most)
    while (open < text.length && !isOpen(text.slice(open))) open++
    out.push(shown(left, open))
    left = open
  }
  return [...out, shown(left, text.length)]

  function shown(from: number, to: number): string {
    return [...text.slice(from, to)].map((byte, i) => (struck[from + i] ? filler : byte)).join('')
  }
}

/** Credentials of few different characters, so that their forms overlap, and texts that are made of parts of them. */
const overlapping = fc
  .oneof(
    fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 9 }),
    fc.string({ unit: fc.constantFrom('a', 'b', '/', '"', '*'), minLength: 6, maxLength: 14 }),
    fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map(String.fromCharCode), minLength: 6, maxLength: 60 }),
    // Longer than what is passed over at once can be told.
    fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-'), minLength: 250, maxLength: 262 }),
  )
  .chain((credential) => {
    const forms = credentialForms(credential, bearer.header)
    const form = fc.constantFrom(...forms)
    const part = fc
      .tuple(form, fc.nat(), fc.nat())
      .map(([text, from, length]) => text.substr(from % text.length, 1 + (length % text.length)))
    const text = fc
      .array(fc.oneof(form, part, part, fc.string({ unit: 'binary-ascii', maxLength: 12 })), { maxLength: 8 })
      .map((parts) => parts.join(''))
    const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 90 })), { minLength: 1 })
    return fc.record({ credential: fc.constant(credential), forms: fc.constant(forms), text, sizes })
  })

test('T20: what leaves with each piece is what is told by looking at every place for every form', () => {
  fc.assert(
    fc.property(overlapping, ({ credential, forms, text, sizes }) => {
      const pieces: string[] = []
      for (let at = 0, n = 0; at < text.length && n < 200; at += pieces[n]!.length, n++)
        pieces.push(text.substr(at, n < 199 ? sizes[n % sizes.length] : undefined))
      const one = redactor(credential)
      const out = pieces.map((piece) => one.push(Buffer.from(piece, 'latin1')).toString('latin1'))
      out.push(one.end().toString('latin1'))
      const filler = [...'*#~x'].find((character) => !credential.includes(character)) ?? '*'
      expect(out).toEqual(leaving(pieces, forms, filler))
      expect(one.isIn(text)).toBe(forms.some((form) => text.includes(form)))
    }),
    { numRuns: 500 },
  )
})

test('what cannot become the credential leaves at once, so that an event does not wait for the next', () => {
  const one = redactor()
  expect(one.push(Buffer.from('data: {"text":"skills"}\n\n')).toString()).toBe('data: {"text":"skills"}\n\n')
  expect(one.push(Buffer.from('ask-li')).toString()).toBe('a')
  expect(one.push(Buffer.from('sten')).toString()).toBe('sk-listen')
  expect(one.end().length).toBe(0)
})

test('what was held back and did not become the credential leaves at the end', () => {
  const one = redactor()
  expect(one.push(Buffer.from(`x${CREDENTIAL.slice(0, -1)}`)).toString()).toBe('x')
  expect(one.end().toString()).toBe(CREDENTIAL.slice(0, -1))
})

test('the credential twice, and overlapping beginnings of it, are struck out', () => {
  expect(redacted(['aabaabaac', 'aabaac'], 'aabaac')).toBe('aab************')
  expect(redacted([`${CREDENTIAL}${CREDENTIAL}`])).toBe('*'.repeat(2 * CREDENTIAL.length))
})

test('with HTTP Basic the pair and its password are struck out too', () => {
  const provider = { name: 'api', header: { name: 'authorization', before: 'Basic ', after: '' } }
  const credential = btoa('user:correct-horse-battery')
  expect(
    redacted([`a ${credential} b user:correct-horse-battery c correct-horse-battery d`], credential, provider),
  ).toBe(`a ${'*'.repeat(credential.length)} b ${'*'.repeat(26)} c ${'*'.repeat(21)} d`)
})

test('a rotated credential is known from the next answer on', () => {
  const redactorFor = redactors()
  expect(redactorFor(bearer, 'old-credential').isIn('old-credential')).toBe(true)
  expect(redactorFor(bearer, 'new-credential').isIn('the new-credential')).toBe(true)
  expect(redactorFor(bearer, 'new-credential').isIn('old-credential')).toBe(false)
})

test('T20: a credential that holds stars is struck out by something else, which completes no other that was nearly one', () => {
  const credential = 'sk-live-01234**'
  const redactor = redactors()({ name: 'api', header: { name: 'x', before: '', after: '' } }, credential)
  const out = Buffer.concat([redactor.push(Buffer.from(`sk-live-01234*${credential}`)), redactor.end()]).toString()
  expect(out).toBe(`sk-live-01234*${'#'.repeat(credential.length)}`)
})
