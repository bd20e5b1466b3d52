import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Session } from '#storage/postgres/session.ts'
import { sessionsOf } from '#storage/postgres/sessions.ts'

const unavailable = { name: 'StorageUnavailable' }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function aSession(isBroken = false): Session {
  const nothing = async () => {}
  return { isBroken, query: async () => [], script: nothing, onNotification() {}, onBroken() {}, end: nothing }
}

/** Opens sessions that are broken or not, in this order, and then unbroken ones. */
function opening(...areBroken: boolean[]) {
  return vi.fn(async () => aSession(areBroken.shift()))
}

test('a session that broke while it opened is opened again', async () => {
  const open = opening(true)
  const sessions = sessionsOf(open, 1)
  expect(await sessions.use(async ({ isBroken }) => isBroken)).toBe(false)
  expect(await sessions.use(async ({ isBroken }) => isBroken)).toBe(false)
  expect(open).toHaveBeenCalledTimes(2)
})

test('while every session breaks as it opens calls are refused, and the server is asked again after a while', async () => {
  const open = opening(true, true)
  const sessions = sessionsOf(open, 1)
  const use = () => sessions.use(async () => 'used')
  await expect(use()).rejects.toMatchObject(unavailable)
  await expect(use()).rejects.toMatchObject(unavailable)
  expect(open).toHaveBeenCalledTimes(2)
  await vi.advanceTimersByTimeAsync(50)
  expect(await use()).toBe('used')
})

test('a call whose turn does not come within 10 s is refused, and takes no turn later', async () => {
  const sessions = sessionsOf(opening(), 1)
  const { promise, resolve } = Promise.withResolvers<void>()
  const long = sessions.use(() => promise)
  const work = vi.fn(async () => 'used')
  const refused = expect(sessions.use(work)).rejects.toMatchObject(unavailable)
  await vi.advanceTimersByTimeAsync(9999)
  const later = sessions.use(async () => 'used later')
  await vi.advanceTimersByTimeAsync(1)
  await refused
  resolve()
  await long
  expect(await later).toBe('used later')
  expect(work).not.toHaveBeenCalled()
})

test('a call does not wait for a session that never opens', async () => {
  const sessions = sessionsOf(() => new Promise(() => {}), 1)
  const refused = expect(sessions.use(async () => 'used')).rejects.toMatchObject(unavailable)
  await vi.advanceTimersByTimeAsync(10_000)
  await refused
})

test('closing waits for what is being asked and for whoever waits for a turn, and ends each session', async () => {
  const ended = vi.fn(async () => {})
  const sessions = sessionsOf(async () => ({ ...aSession(), end: ended }), 1)
  const { promise, resolve } = Promise.withResolvers<void>()
  const long = sessions.use(() => promise)
  const next = sessions.use(async () => 'used')
  let isClosed = false
  const closing = sessions.close().then(() => {
    isClosed = true
  })
  await vi.advanceTimersByTimeAsync(1000)
  expect(isClosed).toBe(false)
  resolve()
  await Promise.all([long, closing])
  expect(await next).toBe('used')
  expect(ended).toHaveBeenCalledTimes(1)
})
