import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { leaveTogether } from '#proxy/departures.ts'

const left: string[] = []
const departure = (name: string) => ({ leave: () => void left.push(name) })

beforeEach(async () => {
  left.length = 0
  await sleep(5)
})

test('what gets ready alone leaves at once', () => {
  leaveTogether(departure('first'))
  expect(left).toEqual(['first'])
})

test('what gets ready behind it leaves at the end of the turn of the event loop, in that order', async () => {
  leaveTogether(departure('first'))
  leaveTogether(departure('second'))
  await Promise.resolve()
  leaveTogether(departure('third'))
  expect(left).toEqual(['first'])
  await nextTurn()
  expect(left).toEqual(['first', 'second', 'third'])
})

test('what gets ready while others leave, leaves after them', async () => {
  leaveTogether(departure('first'))
  leaveTogether({ leave: () => leaveTogether(departure('later')) })
  leaveTogether(departure('second'))
  await nextTurn()
  await nextTurn()
  expect(left).toEqual(['first', 'second', 'later'])
})
