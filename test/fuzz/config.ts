import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { parseConfig } from '#config.ts'
import { SECRET, sources } from '#test/config/sources.ts'
import { propertyFuzzer } from './fuzzer.ts'
import { near } from './mutate.ts'

const folder = new URL('../config/good/', import.meta.url)
const CORPUS = [
  ...readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8')),
  'public_url: https://till.example.com\nproviders:\n  openai: { credential: env:GOOD }\npolicies:\n  - { name: a, repository_id: "1", providers: [openai], activations: 1 }\n',
]
const DICTIONARY = [
  '*',
  '**',
  '&a',
  '*a',
  '!!binary',
  '<<: ',
  '? ',
  '- ',
  '\n  ',
  '|\n',
  'null',
  '~',
  '1e3',
  '0x10',
  'http://',
  'env:',
  'repository_id',
  '__proto__: ',
  '"',
  '#',
]

/** T8, T9, T12, T29: what is not refused holds the rules that nothing behind it asks for again; nothing is thrown. */
export const configFuzzer = propertyFuzzer('config', 150, near(CORPUS, DICTIONARY), (text) => {
  const config = parseConfig(text, sources)
  if (!('policies' in config)) {
    assert.ok(config.length > 0)
    assert.ok(!JSON.stringify(config).includes(SECRET))
    return
  }
  for (const policy of config.policies) {
    const ids = [...(policy.repositoryIds ?? []), ...(policy.repositoryOwnerIds ?? [])]
    assert.ok(ids.length > 0)
    for (const id of ids) assert.match(id, /^[0-9]{1,20}$/)
    assert.ok((policy.claims.get('event_name')?.length ?? 0) > 0)
    assert.ok(Number.isSafeInteger(policy.activations) && policy.activations >= 1 && policy.activations <= 1e9)
    assert.ok(policy.expiresInSeconds <= 7 * 86_400)
    for (const name of policy.providers) assert.ok(config.providers.has(name))
  }
  for (const { origin } of config.providers.values()) {
    assert.equal(new URL(origin).origin, origin)
    assert.match(origin, /^https:|^http:\/\/(?:127\.0\.0\.1|\[::1\])(?::|$)/)
  }
  for (const { url } of config.issuers) assert.match(url, /^https:|^http:\/\/(?:127\.0\.0\.1|\[::1\])(?::|\/|$)/)
})
