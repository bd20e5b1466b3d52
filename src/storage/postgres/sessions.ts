import { StorageUnavailable } from '#broker/ports.ts'
import { unavailableFrom } from './faults.ts'
import type { Session } from './session.ts'

/** After a failed attempt the next one waits, twice as long each time. Milliseconds. */
const FIRST_WAIT = 50
const LONGEST_WAIT = 1000

/** A few sessions that many calls share. A session that breaks is replaced; while none can be opened, calls are refused. */
export interface Sessions {
  /** @throws {StorageUnavailable} when no session can be had; else what `work` throws */
  use<T>(work: (session: Session) => Promise<T>): Promise<T>
  close(): Promise<void>
}

interface Waiter {
  readonly resolve: (session: Session) => void
  readonly reject: (error: StorageUnavailable) => void
}

/** @param most how many may be open at once; further calls wait for their turn */
export function sessionsOf(open: () => Promise<Session>, most: number): Sessions {
  const idle: Session[] = []
  const waiters: Waiter[] = []
  let count = 0
  let failures = 0
  let retryAt = 0
  let lastFault: StorageUnavailable | null = null
  let isClosed = false

  function acquire(): Promise<Session> {
    if (isClosed) return Promise.reject(new StorageUnavailable('Cannot use the ledger: it is closed.'))
    const session = idle.pop()
    if (session) return Promise.resolve(session)
    // Nobody waits for a server that was not there a moment ago.
    if (count === 0 && lastFault && performance.now() < retryAt) return Promise.reject(lastFault)
    return new Promise((resolve, reject) => {
      waiters.push({ resolve, reject })
      if (count < most) void openOne()
    })
  }

  async function openOne(): Promise<void> {
    count++
    try {
      const session = await open()
      failures = 0
      lastFault = null
      session.onBroken(() => forget(session))
      release(session)
    } catch (error) {
      count--
      lastFault = unavailableFrom(error)
      retryAt = performance.now() + Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++)
      if (count === 0) for (const { reject } of waiters.splice(0)) reject(lastFault)
    }
  }

  function forget(session: Session): void {
    count--
    const at = idle.indexOf(session)
    if (at >= 0) idle.splice(at, 1)
    if (waiters.length > 0) void openOne()
  }

  function release(session: Session): void {
    if (session.isBroken) return
    const waiter = waiters.shift()
    if (waiter) waiter.resolve(session)
    else if (isClosed) void session.end()
    else idle.push(session)
  }

  return {
    async use(work) {
      const session = await acquire()
      try {
        return await work(session)
      } finally {
        release(session)
      }
    },
    async close() {
      isClosed = true
      await Promise.all(idle.splice(0).map((session) => session.end()))
    },
  }
}
