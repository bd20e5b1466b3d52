import { afterEach, beforeEach, expect, test } from 'vitest'
import { StorageUnavailable } from '#broker/ports.ts'
import { readiness } from '#broker/readiness.ts'
import { startWorld, type World } from './world.ts'

let world: World
let broken: string[]
beforeEach(async () => {
  world = await startWorld()
  broken = []
})
afterEach(() => world.close())

const unready = (ledger = world.ledger) =>
  readiness({ ...world, ledger, clock: () => world.now, issuers: () => 2, issuersWithoutKeys: () => broken })

test('a broker whose parts all work is ready', async () => {
  expect(await unready()()).toBeNull()
})

test('a ledger that cannot be written is named, and asked again a second later', async () => {
  let isFull = true
  const check = () => (isFull ? Promise.reject(new StorageUnavailable('full')) : world.ledger.check())
  const part = unready({ ...world.ledger, check })
  expect(await part()).toBe('storage')
  isFull = false
  expect(await part()).toBe('storage')
  world.now += 1
  expect(await part()).toBeNull()
})

test('one write to the disk answers for a second, whoever asks how often', async () => {
  let writes = 0
  const check = async () => void writes++
  const part = unready({ ...world.ledger, check })
  await Promise.all(Array.from({ length: 50 }, part))
  expect(writes).toBe(1)
})

test('a clock that was set back does not keep an answer for longer', async () => {
  let writes = 0
  const part = unready({ ...world.ledger, check: async () => void writes++ })
  await part()
  world.now -= 3600
  await part()
  expect(writes).toBe(2)
})

test('one issuer without keys leaves the broker ready for the jobs of the other', async () => {
  broken = ['https://ghes.test']
  expect(await unready()()).toBeNull()
  broken = ['https://ghes.test', 'https://issuer.test']
  expect(await unready()()).toBe('issuer keys')
})

test('one provider without a credential leaves the broker ready, none with one does not', async () => {
  world.held.delete('openai')
  expect(await unready()()).toBeNull()
  world.held.delete('anthropic')
  expect(await unready()()).toBe('credentials')
})
