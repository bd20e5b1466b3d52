import { expect, test } from 'vitest'
import { callQueue } from '#storage/call-queue.ts'

/** A queue whose calls are answered with themselves, and the batches that it made. */
function echo() {
  const batches: (readonly number[])[] = []
  const queue = callQueue<number>(async (calls) => {
    batches.push(calls)
    return { results: calls, failures: [], broken: null }
  })
  return { queue, batches }
}

test('no batch has more than 4096 calls, and the rest comes after it', async () => {
  const { queue, batches } = echo()
  const calls = Array.from({ length: 5000 }, (_, i) => i)
  expect(await Promise.all(calls.map((call) => queue.call(call)))).toEqual(calls)
  expect(batches.map(({ length }) => length)).toEqual([4096, 904])
})

test('what nobody waits for goes with the next call, and alone if none comes', async () => {
  const { queue, batches } = echo()
  await Promise.all([queue.call(1, true), queue.call(2)])
  await queue.call(3, true)
  expect(batches).toEqual([[1, 2], [3]])
})

test('a batch that came to nothing is refused as a whole, and the next one is not', async () => {
  let isAway = true
  const queue = callQueue<number>(async (calls) => {
    if (isAway) throw new Error('away')
    return { results: calls, failures: [], broken: null }
  })
  const refused = { status: 'rejected', reason: { name: 'StorageUnavailable', cause: 'away' } }
  expect(await Promise.allSettled([queue.call(1), queue.call(2)])).toMatchObject([refused, refused])
  isAway = false
  expect(await queue.call(3)).toBe(3)
})
