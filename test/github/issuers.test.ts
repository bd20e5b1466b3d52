import { expect, test } from 'vitest'
import { issuersOf, serverUrl } from '#github/issuers.ts'

const ISSUERS = [
  'https://token.actions.githubusercontent.com',
  'https://token.actions.githubusercontent.com/acme',
  'https://token.actions.acme.ghe.com',
  'https://ghes.example.com/_services/token',
].map((url) => ({ url }))

test.each([
  ['https://api.github.com', [0, 1], 'https://github.com'],
  ['https://api.acme.ghe.com', [2], 'https://acme.ghe.com'],
  ['https://ghes.example.com/api/v3', [3], 'https://ghes.example.com'],
  ['https://other.example.com/api/v3', [], 'https://other.example.com'],
])('%s tells of its own jobs', (api, which, server) => {
  expect(issuersOf(api, ISSUERS)).toEqual(which.map((n) => ISSUERS[n]))
  expect(serverUrl(api)).toBe(server)
})

test('the only issuer is the one that is meant', () => {
  expect(issuersOf('https://api.github.com', [ISSUERS[3]!])).toEqual([ISSUERS[3]])
})
