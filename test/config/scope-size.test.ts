import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '#config.ts'
import { MAX_ROUTES, MAX_SCOPE_BYTES, mintAnswer } from '#wire/mint.ts'
import { sources } from './sources.ts'

/** What is wrong with a policy whose providers have these routes. */
function problems(...routesOfProviders: readonly (readonly string[])[]): string[] {
  const providers = routesOfProviders.map((list, n) => [
    `p${n}`,
    {
      origin: 'https://api.example.com',
      credential: 'env:GOOD',
      header: 'x: {credential}',
      routes: list,
      model: 'none',
    },
  ])
  const names = providers.map(([name]) => name)
  const read = parseConfig(
    stringify({
      public_url: 'https://till.example.com',
      providers: Object.fromEntries(providers),
      policies: [{ name: 'review', repository_id: '101', providers: names, activations: 1 }],
    }),
    sources,
  )
  return Array.isArray(read) ? read.map(({ path, message }) => `${path}: ${message}`) : []
}
const routes = (count: number, length = 0, first = 0) =>
  Array.from({ length: count }, (_, n) => `GET /v1/r${n + first}`.padEnd(length, 'x'))

test('MAX_ROUTES routes fit a policy, one more is refused', () => {
  const four = [0, 1, 2, 3].map((n) => routes(MAX_ROUTES / 4, 0, (n * MAX_ROUTES) / 4))
  expect(problems(...four)).toEqual([])
  expect(problems(...four, ['POST /x'])).toEqual([
    `policies[0].providers: expected at most ${MAX_ROUTES} routes, got ${MAX_ROUTES + 1}: write some as patterns`,
  ])
})

test('MAX_SCOPE_BYTES bytes of scope fit a policy, one more is refused', () => {
  const scope = (list: readonly string[]) => Buffer.byteLength(JSON.stringify({ routes: list, models: null }))
  const list = routes(100, 320)
  const [first] = list
  const full = [`${first}${'x'.repeat(MAX_SCOPE_BYTES - scope(list))}`, ...list.slice(1)]
  expect(scope(full)).toBe(MAX_SCOPE_BYTES)
  expect(problems(full)).toEqual([])
  expect(problems([`${full[0]}x`, ...full.slice(1)])).toHaveLength(1)
})

test('what a policy may hold is what the action reads', () => {
  const answer = {
    id: 'k_0123456789012345678901',
    key: `till_${'0'.repeat(49)}`,
    policy: 'review',
    providers: {},
    activations: 1,
    expires_at: 1,
    scope: { routes: routes(MAX_ROUTES), models: null },
    comment_by: 'action',
    job: { repository: 'a/b', repository_id: '1', run_id: '1', run_attempt: '1', check_run_id: '1' },
  }
  expect(mintAnswer(answer, '').scope.routes).toHaveLength(MAX_ROUTES)
  expect(() => mintAnswer({ ...answer, scope: { routes: routes(MAX_ROUTES + 1), models: null } }, '')).toThrow()
})
