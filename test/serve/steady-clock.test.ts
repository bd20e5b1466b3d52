import { expect, test } from 'vitest'
import { steadyClock } from '#serve/steady-clock.ts'

/** Two clocks that a test moves, and what was told. */
function world() {
  const told: string[] = []
  const time = { wall: 1000, monotonic: 50 }
  const steady = steadyClock(
    () => time.wall,
    () => time.monotonic,
    { wentBack: (seconds) => told.push(`back ${seconds}`), isRight: () => told.push('right') },
  )
  const pass = (seconds: number) => {
    time.wall += seconds
    time.monotonic += seconds
  }
  return { time, steady, told, pass }
}

test('T35: a clock that was set back by 5 s is followed, by more it is not: time is counted from there on', () => {
  const { time, steady, told, pass } = world()
  time.wall -= 5
  expect([steady.clock(), steady.isBehind()]).toEqual([995, false])
  time.wall -= 0.5
  expect([steady.clock(), steady.isBehind()]).toEqual([1000, true])
  pass(10)
  expect([steady.clock(), steady.isBehind()]).toEqual([1010, true])
  expect(told).toEqual(['back 5.5'])
})

test('T35: many small steps back are one large one', () => {
  const { time, steady } = world()
  for (let n = 0; n < 6; n++) {
    time.wall -= 1
    steady.clock()
  }
  expect(steady.isBehind()).toBe(true)
})

test('T35: a clock that is put right is believed again', () => {
  const { time, steady, told, pass } = world()
  time.wall -= 3600
  steady.clock()
  pass(60)
  time.wall += 3600
  expect([steady.clock(), steady.isBehind()]).toEqual([1060, false])
  expect(told).toEqual(['back 3600', 'right'])
})

test('T35: a clock that was set forward is followed, and back is then behind', () => {
  const { time, steady } = world()
  time.wall += 3600
  expect([steady.clock(), steady.isBehind()]).toEqual([4600, false])
  time.wall -= 3600
  expect(steady.isBehind()).toBe(true)
})

test('T35: a process that starts when the clock was set back goes on where an older one of its broker was', () => {
  const told: string[] = []
  const time = { wall: 1000, monotonic: 0 }
  const log = { wentBack: (seconds: number) => told.push(`back ${seconds}`), isRight: () => told.push('right') }
  const { clock, isBehind } = steadyClock(
    () => time.wall,
    () => time.monotonic,
    log,
    4600,
  )
  expect([clock(), isBehind()]).toEqual([4600, true])
  time.monotonic += 10
  expect(clock()).toBe(4610)
  time.wall = 4611
  expect([clock(), isBehind()]).toEqual([4611, false])
  expect(told).toEqual(['back 3600', 'right'])
})
