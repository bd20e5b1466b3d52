import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Config, parseConfig } from '#config.ts'
import { decide } from '#domain/decide.ts'
import { matches } from '#domain/pattern.ts'
import { aJob } from '../domain/subjects.ts'

const page = readFileSync('docs/policy.md', 'utf8')
const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml!)

/** The example in a file that has all else. */
function configured(policies: string): Config {
  const rest = [
    'public_url: https://till.example.com',
    'providers:',
    '  openai: { credential: stored }',
    '  anthropic: { credential: stored }',
    'issuers:',
    '  - https://token.actions.githubusercontent.com',
    '  - { url: https://ghes.example.com/_services/token, check_run_id: optional }',
    '',
  ].join('\n')
  const config = parseConfig(rest + policies, { file: '/till.yaml', env: {}, readFile: () => '' })
  if (!('policies' in config)) throw new Error(JSON.stringify(config))
  return config
}

test.each(examples)('an example of docs/policy.md is a configuration: %#', (yaml) => {
  expect(configured(yaml).policies).toHaveLength(1)
})

test('the first example decides as the page says', () => {
  const { policies, providers } = configured(examples[0]!)
  const ask = { providers: ['openai'] }
  expect(decide(policies, providers, aJob(), ask)).toMatchObject({
    kind: 'allowed',
    terms: { activations: 50, expiresInSeconds: 3600 },
  })
  const denied = decide(policies, providers, aJob({ event_name: 'pull_request_target' }), ask)
  expect(page).toContain((denied as { sentence: string }).sentence)
})

describe('the table of patterns', () => {
  const rows = [...page.matchAll(/^\| `(refs\/[^`]+)` \| ([^|]+) \| ([^|]+) \|$/gm)]
  const values = (cell: string, pattern: string) =>
    cell.includes('itself') ? [pattern] : [...cell.matchAll(/`([^`]+)`/g)].map(([, value]) => value!)

  test.each(rows.map(([, pattern, yes, no]) => [pattern!, yes!, no!]))('%s', (pattern, yes, no) => {
    for (const value of values(yes, pattern)) expect(matches(pattern, value), value).toBe(true)
    for (const value of values(no, pattern)) expect(matches(pattern, value), value).toBe(false)
  })

  test('was found', () => {
    expect(rows).toHaveLength(4)
  })
})

test("routes that a provider is given are kept in the provider's own spelling", () => {
  const source = [
    'public_url: https://till.example.com',
    'providers:',
    '  openai: { credential: stored, routes: ["POST /responses"], free: ["GET /models"] }',
    'policies:',
    '  - { name: a, repository_id: "101", providers: [openai], activations: 1 }',
  ].join('\n')
  const config = parseConfig(source, { file: '/till.yaml', env: {}, readFile: () => '' }) as Config
  const { routes, free } = config.providers.get('openai')!
  expect([...routes, ...free].map(({ path }) => path)).toEqual(['/v1/responses', '/v1/models'])
})
