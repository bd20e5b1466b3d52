import { afterEach, expect, test } from 'vitest'
import { type Issuer, startIssuer } from '#test/support/issuer.ts'
import { type Provider, startProvider } from '#test/support/provider.ts'
import { type SpawnedTill, spawnTill } from '#test/support/start-till.ts'
import { loadPolicy } from './load.ts'
import { shakenRun } from './shaken.ts'

let issuer: Issuer
let provider: Provider
let broker: SpawnedTill
afterEach(async () => {
  await broker.close()
  await provider.close()
  await issuer.close()
})

test('what 32 clients see of their keys over kills and pauses is what a bounded counter would show', async () => {
  issuer = await startIssuer()
  provider = await startProvider()
  broker = await spawnTill({ issuer, provider, policies: [loadPolicy(40)] })
  const run = await shakenRun({ brokers: [broker], issuer, provider, seconds: 4 })
  expect(run.violations).toEqual([])
  expect(run.calls).toBeGreaterThan(100)
  expect(run.kills).toBeGreaterThan(0)
})
