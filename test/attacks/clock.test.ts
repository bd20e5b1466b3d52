import { afterEach, expect, test } from 'vitest'
import { beside, brokers, mintAt, mintedAt, use } from '#test/serve/brokers.ts'

const running = brokers()
afterEach(() => running.close())

/** Clocks that a test sets: the machine's, and the one that nobody can set. */
function clocks() {
  const time = { wall: Date.now() / 1000, monotonic: 100 }
  return { time, clock: () => time.wall, monotonic: () => time.monotonic }
}

test('T35: while the clock stands behind, no key is minted, it is on record, and keys live no longer for it', async () => {
  const till = await running.till({
    policies: [{ name: 'review', repository_id: '101', providers: ['openai'], activations: 9, expires_in: 60 }],
  })
  const { time, clock, monotonic } = clocks()
  const { url, log } = await running.start(beside(till), clock, monotonic)
  const minted = await mintedAt(url, till)
  time.wall -= 3600
  time.monotonic += 1

  const refused = await mintAt(url, till)
  expect(refused.status).toBe(503)
  expect(((await refused.json()) as { code: string }).code).toBe('not_ready')
  expect(log.map(({ event }) => event)).toContain('clock.went_back')
  expect(log).toContainEqual({ event: 'mint.refused', fields: expect.objectContaining({ code: 'not_ready' }) })
  const ready = await fetch(`${url}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('clock')])

  expect((await use(url, minted.key)).status).toBe(200)
  time.monotonic += 60
  expect((await use(url, minted.key)).headers.get('till-error')).toBe('key_expired')

  time.wall += 3600 + 61
  await mintedAt(url, till)
  expect((await use(url, minted.key)).headers.get('till-error')).toBe('key_expired')
})

test('a clock that stood far ahead for a moment: what it does is told as that, and the operator may say that it is right', async () => {
  const till = await running.till()
  const { time, clock, monotonic } = clocks()
  const { broker, url } = await running.start(beside(till), clock, monotonic)
  const minted = await mintedAt(url, till)
  time.wall += 365 * 86_400
  expect((await use(url, minted.key)).headers.get('till-error')).toBe('key_expired')
  time.wall -= 365 * 86_400
  expect(await (await mintAt(url, till)).json()).toMatchObject({ status: 503, code: 'not_ready' })
  await broker.close(0)

  const earlier = () => time.wall - 100
  await expect(running.start(beside(till), earlier, monotonic)).rejects.toThrow(/--accept-clock/)
  const again = await running.start(beside(till), clock, monotonic, true)
  expect(again.log).toContainEqual({ event: 'clock.accepted' })
  await mintedAt(again.url, till)
  expect((await use(again.url, minted.key)).headers.get('till-error')).toBe('key_expired')
})

test('T35, G21: no jump of the clock makes an expired key live', async () => {
  const till = await running.till()
  const { time, clock, monotonic } = clocks()
  const { url } = await running.start(beside(till), clock, monotonic)
  const minted = await mintedAt(url, till)
  time.wall += 3601
  time.monotonic += 3601
  expect((await use(url, minted.key)).headers.get('till-error')).toBe('key_expired')
  for (const jump of [-3600, 3600, -86_400, 365 * 86_400, -366 * 86_400]) {
    time.wall += jump
    expect((await use(url, minted.key)).headers.get('till-error')).toBe('key_expired')
  }
})
