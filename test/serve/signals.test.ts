import { afterEach, expect, test } from 'vitest'
import { type SpawnedTill, spawnTill } from '#test/support/start-till.ts'
import { mintAt, use } from './brokers.ts'

let till: SpawnedTill
afterEach(() => till.close())

test('SIGTERM: not ready at once, no new requests, open streams finish, status 0', async () => {
  till = await spawnTill()
  const { key } = await till.mint()
  const gate = Promise.withResolvers<void>()
  till.provider.next({ gap: (event) => (event === 0 ? Promise.resolve() : gate.promise) })
  const stream = await use(till.url, key, { stream: true })

  const exited = till.kill('SIGTERM')
  await expect.poll(async () => (await till.fetch('/readyz')).status, { timeout: 10_000 }).toBe(503)
  expect((await use(till.url, key)).status).toBe(503)
  expect((await mintAt(till.url, till)).status).toBe(503)
  expect(till.provider.received).toHaveLength(1)
  gate.resolve()
  expect(await stream.text()).toContain('response.completed')
  expect(await exited).toBe(0)
  expect(till.log.some(({ event }) => event.includes('broker.stopped'))).toBe(true)
})
