import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { endingText } from '#storage/postgres/ending-text.ts'
import { watchEndings } from '#storage/postgres/foreign-endings.ts'
import type { Session } from '#storage/postgres/session.ts'
import type { Sessions } from '#storage/postgres/sessions.ts'
import { T0 } from '#test/contract/mint-entry.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a session on which the server once refused to listen listens after the next look', async () => {
  const listen = vi.fn(async () => {}).mockRejectedValueOnce(new Error('canceling statement due to user request'))
  const listeners: ((payload: string) => void)[] = []
  const session = {
    script: listen,
    query: async () => [],
    onNotification: (listener: (payload: string) => void) => void listeners.push(listener),
  } as unknown as Session
  const sessions: Sessions = { use: (work) => work(session), close: async () => {} }
  const heard: string[] = []
  const watch = watchEndings(sessions, '1', (endings) => heard.push(...endings.map(({ id }) => id)))
  await vi.advanceTimersByTimeAsync(6000)
  watch.stop()
  expect(listen).toHaveBeenCalledTimes(2)
  for (const listener of listeners) listener(endingText({ id: 'k', ending: { at: T0, reason: 'revoked_by_job' } }))
  expect(heard).toEqual(['k'])
})
