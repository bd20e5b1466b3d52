import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Issuer, startIssuer } from '#test/support/issuer.ts'
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts'
import { type Provider, startProvider } from '#test/support/provider.ts'
import { POLICY, type SpawnedTill, spawnTill } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'

let postgres: TestPostgres
let issuer: Issuer
let provider: Provider
let brokers: SpawnedTill[]

beforeAll(async () => {
  postgres = await startPostgres()
  issuer = await startIssuer()
  provider = await startProvider()
  const settings = { storage: await postgres.createDatabase(), master_key: 'env:TILL_MASTER_KEY' }
  const env = { TILL_MASTER_KEY: randomBytes(32).toString('base64') }
  const policies = [{ ...POLICY, activations: 50, limits: { concurrent_requests: 2000 } }]
  brokers = await Promise.all([1, 2, 3].map(() => spawnTill({ issuer, provider, settings, env, policies })))
})
afterAll(async () => {
  await Promise.all(brokers.map((broker) => broker.close()))
  await provider.close()
  await issuer.close()
  await postgres.stop()
})

const broker = (n: number) => brokers[n % brokers.length]!

async function use(n: number, { key }: MintAnswer): Promise<number> {
  const answer = await broker(n).fetch('/proxy/openai/v1/responses', {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: '{"model":"gpt-5-mini","input":"hi"}',
  })
  await answer.arrayBuffer()
  return answer.status
}

test('of 2000 uses of a budget of 50 at three brokers at once exactly 50 reach the provider', async () => {
  for (let round = 0; round < 20; round++) {
    const before = provider.received.length
    const minted = await broker(round).mint()
    const statuses = await Promise.all(Array.from({ length: 2000 }, (_, n) => use(n, minted)))
    expect(statuses.filter((status) => status === 200)).toHaveLength(50)
    expect(statuses.filter((status) => status === 410)).toHaveLength(1950)
    expect(provider.received.length - before).toBe(50)
    const { receipt } = await broker(round + 1).receipt(minted)
    expect(receipt.activations).toMatchObject({ limit: 50, used: 50 })
  }
}, 180_000)

test('a key that one broker revoked is dead at once at every other', async () => {
  const minted = await broker(0).mint()
  expect(await use(1, minted)).toBe(200)
  await broker(2).revoke(minted)
  expect(await use(0, minted)).toBe(410)
  expect(await use(1, minted)).toBe(410)
})

test('a request that waits for the provider is cut off when another broker revokes its key', async () => {
  const minted = await broker(0).mint()
  provider.next({ hang: true })
  const before = provider.received.length
  const waiting = use(1, minted)
  await provider.arrived(before + 1)
  await broker(2).revoke(minted)
  expect(await Promise.race([waiting, sleep(5000)])).toBe(410)
})

test('when a broker is killed the others go on, and what it spent stays spent', async () => {
  const minted = await broker(0).mint()
  expect(await use(0, minted)).toBe(200)
  await broker(0).kill()
  const statuses = await Promise.all(Array.from({ length: 60 }, (_, n) => use(1 + (n % 2), minted)))
  expect(statuses.filter((status) => status === 200)).toHaveLength(49)
  await broker(0).start()
  expect(await use(0, minted)).toBe(410)
})
