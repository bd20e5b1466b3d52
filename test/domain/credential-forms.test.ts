import { describe, expect, test } from 'vitest'
import { credentialForms } from '#domain/credential-forms.ts'
import { escaped, JSON_ESCAPERS, MARKUP_ESCAPERS, SCRIPT_ESCAPERS, URL_ESCAPERS } from '#domain/escapers.ts'
import { encodedCredentials } from './encoded-credentials.ts'

const formsOf = (credential: string) => credentialForms(credential, { before: 'Bearer ' })
const SPECIALS = encodedCredentials[0]!.credential

describe('T20: among the forms of a credential is what is written by', () => {
  test.each(encodedCredentials)('$encoder, of $credential', ({ credential, text }) => {
    expect(formsOf(credential)).toContain(text)
  })
})

test('each escaper writes what is on record of an encoder with its name', () => {
  const escapers = Object.entries({ ...JSON_ESCAPERS, ...SCRIPT_ESCAPERS, ...MARKUP_ESCAPERS, ...URL_ESCAPERS })
  for (const [name, escaper] of escapers) {
    const recorded = encodedCredentials.filter(({ encoder }) => encoder === name)
    expect(recorded, name).not.toEqual([])
    for (const { credential, text } of recorded) expect(escaped(credential, escaper), name).toBe(text)
  }
})

test('T20: among the forms is what the encoders of this process write', () => {
  const written = [
    JSON.stringify(SPECIALS).slice(1, -1),
    JSON.stringify(JSON.stringify(SPECIALS)).slice(3, -3),
    encodeURIComponent(SPECIALS),
    encodeURI(SPECIALS),
    escape(SPECIALS),
    new URLSearchParams([['k', SPECIALS]]).toString().slice(2),
    new URL(`http://provider.example/?k=${SPECIALS}`).search.slice(3),
  ]
  expect(formsOf(SPECIALS)).toEqual(expect.arrayContaining(written))
})

test('T20: among the forms is what one encoder of JSON writes within what another has written', () => {
  const plain = (text: string) => JSON.stringify(text).slice(1, -1)
  const php = (text: string) => plain(text).replaceAll('/', '\\/')
  const go = (text: string) =>
    plain(text).replaceAll('&', '\\u0026').replaceAll('<', '\\u003c').replaceAll('>', '\\u003e')
  const written = [plain(php(SPECIALS)), plain(go(SPECIALS)), php(plain(SPECIALS)), php(go(SPECIALS))]
  expect(formsOf(SPECIALS)).toEqual(expect.arrayContaining(written))
})

test('a credential of more than 2,048 characters is known as it is, in base64 and in hex', () => {
  expect(formsOf('a/'.repeat(1024)).length).toBeGreaterThan(20)
  expect(formsOf('a/'.repeat(1025)).length).toBeLessThan(10)
})

test('each form is there once, and a key of letters, digits, "-" and "_" has few', () => {
  expect(new Set(formsOf(SPECIALS)).size).toBe(formsOf(SPECIALS).length)
  expect(formsOf('sk-proj-Zq8xY_3vB5nM7wK2pL9aQ4rT6uI8oP1sD3fG5hJ7kL0zX')).toHaveLength(27)
  expect(formsOf('ghp0Zq8xYvB5nM7wK2pL9aQ4rT6uI8oP1sD3fG5h')).toHaveLength(15)
})

test('a credential of less than six characters is known as it is alone, for its encodings would be found in anything', () => {
  expect(formsOf('a/b=c')).toEqual(['a/b=c'])
  expect(formsOf('a/b=c&')).toContain('a&#x2F;b&#x3D;c&amp;')
})
