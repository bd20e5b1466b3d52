import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { leaveTogether } from '#proxy/departures.ts'

test('what gets ready in one turn of the event loop leaves at its end, in that order', async () => {
  const left: string[] = []
  const departure = (name: string) => ({ leave: () => void left.push(name) })
  leaveTogether(departure('first'))
  await Promise.resolve()
  leaveTogether(departure('second'))
  expect(left).toEqual([])
  await nextTurn()
  expect(left).toEqual(['first', 'second'])
})

test('what gets ready while others leave, leaves after them', async () => {
  const left: string[] = []
  const leave = () => void left.push('later')
  leaveTogether({ leave: () => leaveTogether({ leave }) })
  leaveTogether({ leave: () => void left.push('now') })
  await nextTurn()
  await nextTurn()
  expect(left).toEqual(['now', 'later'])
})
