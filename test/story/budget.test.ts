import { afterEach, expect, test } from 'vitest'
import { POLICY, spawnTill, startTill, type Till } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'
import type { SelfAnswer } from '#wire/self.ts'

/** N activations are never N+1, whatever happens. */
let till: Till | undefined
afterEach(async () => {
  await till?.close()
  till = undefined
})

const limits = { concurrent_requests: 2000 }
const policies = [{ ...POLICY, activations: 50, limits }]

test('2000 parallel uses of a budget of 50 reach the provider exactly 50 times', async () => {
  till = await startTill({ policies })
  const minted = await till.mint()
  const statuses = await Promise.all(Array.from({ length: 2000 }, () => spend(till!, minted)))
  expect(statuses.filter((status) => status === 200)).toHaveLength(50)
  expect(statuses.filter((status) => status === 410)).toHaveLength(1950)
  expect(till.provider.received).toHaveLength(50)
  expect((await till.receipt(minted)).receipt.activations).toMatchObject({
    limit: 50,
    used: 50,
    refused: { activations_exhausted: 1950 },
  })
})

test('after kill -9 and a restart the counters are what they were, requests that were open included', async () => {
  const spawned = await spawnTill({ policies })
  till = spawned
  const minted = await till.mint()
  for (let n = 0; n < 7; n++) expect(await spend(till, minted)).toBe(200)

  till.provider.next(...Array.from({ length: 5 }, () => ({ hang: true }) as const))
  const open = Promise.allSettled(Array.from({ length: 5 }, () => spend(spawned, minted)))
  await till.provider.arrived(12)
  await spawned.kill('SIGKILL')
  await open
  await spawned.start()
  expect(await used(till, minted)).toBe(12)

  await spawned.kill('SIGKILL')
  await spawned.start()
  const statuses = await Promise.all(Array.from({ length: 100 }, () => spend(spawned, minted)))
  expect(statuses.filter((status) => status === 200)).toHaveLength(38)
  expect(till.provider.received).toHaveLength(50)
})

test('a key that was revoked stays dead over kill -9 and a restart', async () => {
  const spawned = await spawnTill({ policies })
  till = spawned
  const minted = await till.mint()
  await till.revoke(minted)
  await spawned.kill('SIGKILL')
  await spawned.start()
  expect(await spend(till, minted)).toBe(410)
  expect(till.provider.received).toEqual([])
})

test('a stop by SIGTERM is clean, and loses nothing', async () => {
  const spawned = await spawnTill({ policies })
  till = spawned
  const minted = await till.mint()
  await spend(till, minted)
  expect(await spawned.kill('SIGTERM')).toBe(0)
  await spawned.start()
  expect(await used(till, minted)).toBe(1)
})

async function spend(broker: Till, minted: MintAnswer): Promise<number> {
  const answer = await broker.fetch('/proxy/openai/v1/responses', {
    method: 'POST',
    headers: { authorization: `Bearer ${minted.key}`, 'content-type': 'application/json' },
    body: '{"model":"gpt-5-mini"}',
  })
  await answer.arrayBuffer()
  return answer.status
}

async function used(broker: Till, minted: MintAnswer): Promise<number> {
  const answer = await broker.fetch('/v1/keys/self', { headers: { authorization: `Bearer ${minted.key}` } })
  return ((await answer.json()) as SelfAnswer).activations.used
}
