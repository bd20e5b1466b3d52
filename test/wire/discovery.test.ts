import { expect, test } from 'vitest'
import { discovery } from '#wire/discovery.ts'

const DISCOVERY = {
  audience: 'https://till.example.com',
  version: '0.1.0-rc.1+build',
  jwks_uri: 'https://till.example.com/.well-known/jwks.json',
  mint_endpoint: 'https://till.example.com/v1/keys',
}

test('what a broker says of itself is of the shape, and more is left out', () => {
  expect(discovery({ ...DISCOVERY, newer: true }, '')).toEqual(DISCOVERY)
})

test.each<[string, unknown]>([
  ['audience', ['https://till.example.com']],
  ['audience', 'a b'],
  ['audience', ''],
  ['version', '1\n'],
  ['jwks_uri', 'file:///etc/passwd'],
  ['mint_endpoint', undefined],
])('%s %j is refused by its name', (field, value) => {
  expect(() => discovery({ ...DISCOVERY, [field]: value }, '')).toThrow(field)
})
