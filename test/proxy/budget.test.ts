import { Agent, request } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { type PlaneUnderTest, startPlane } from './plane.ts'

let till: PlaneUnderTest
afterEach(() => till.close())

test('T26: of 2000 uses at once of a budget of 50, exactly 50 reach the provider and 1950 get the exhausted answer', async () => {
  till = await startPlane()
  const { key, used } = await till.mint({ limit: 50, concurrentRequests: 10_000 })
  const agent = new Agent({ keepAlive: true, maxSockets: 200 })
  const one = () =>
    new Promise<string>((resolve, reject) => {
      request(
        { port: till.port, agent, method: 'POST', path: '/proxy/api/v1/responses', headers: { 'x-api-key': key } },
        (answer) => {
          answer.resume().on('end', () => resolve(`${answer.statusCode} ${answer.headers['till-error'] ?? 'ok'}`))
        },
      )
        .on('error', reject)
        .end('{}')
    })
  const counts: Record<string, number> = {}
  for (const outcome of await Promise.all(Array.from({ length: 2000 }, one)))
    counts[outcome] = (counts[outcome] ?? 0) + 1
  agent.destroy()
  expect(counts).toEqual({ '200 ok': 50, '410 activations_exhausted': 1950 })
  expect(till.upstream.requests.length).toBe(50)
  expect(await used()).toBe(50)
})
