import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { leaveSoon, leaveTogether } from '#proxy/departures.ts'

const left: string[] = []
const departure = (name: string) => ({ leave: () => void left.push(name) })

beforeEach(async () => {
  left.length = 0
  await sleep(5)
})

test('what gets ready in one turn of the event loop leaves at its end, in that order', async () => {
  leaveTogether(departure('first'))
  await Promise.resolve()
  leaveSoon(departure('second'))
  leaveTogether(departure('third'))
  expect(left).toEqual([])
  await nextTurn()
  expect(left).toEqual(['first', 'second', 'third'])
})

test('what may leave soon leaves at once if it is alone, and else with the others', async () => {
  leaveSoon(departure('first'))
  expect(left).toEqual(['first'])
  leaveSoon(departure('second'))
  leaveSoon(departure('third'))
  expect(left).toEqual(['first'])
  await nextTurn()
  expect(left).toEqual(['first', 'second', 'third'])
})

test.each([leaveTogether, leaveSoon])('what gets ready while others leave, leaves after them: %o', async (leave) => {
  leaveTogether(departure('first'))
  leaveTogether({ leave: () => leave(departure('later')) })
  leaveTogether(departure('second'))
  await nextTurn()
  await nextTurn()
  expect(left).toEqual(['first', 'second', 'later'])
})
