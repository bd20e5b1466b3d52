import { StorageUnavailable } from '#broker/ports.ts'
import { unavailableFrom } from './faults.ts'
import type { Session } from './session.ts'

/** After a failed attempt the next one waits, twice as long each time. Milliseconds. */
const FIRST_WAIT = 50
const LONGEST_WAIT = 1000
/** How long a call waits for a session: twice as long as a statement may take. Milliseconds. */
const LONGEST_TURN = 10_000

/** A few sessions that many calls share. A session that breaks is replaced; while none can be opened, calls are refused. */
export interface Sessions {
  /** @throws {StorageUnavailable} when no session can be had, or none within 10 s; else what `work` throws */
  use<T>(work: (session: Session) => Promise<T>): Promise<T>
  /** Resolves when every session has ended: what is being asked is answered first. */
  close(): Promise<void>
}

interface Waiter {
  readonly resolve: (session: Session) => void
  readonly reject: (error: StorageUnavailable) => void
  readonly timer: NodeJS.Timeout
}

/** @param most how many may be open at once; further calls wait for their turn */
export function sessionsOf(open: () => Promise<Session>, most: number): Sessions {
  const idle: Session[] = []
  const waiters = new Set<Waiter>()
  const turns = new Set<Promise<unknown>>()
  const goodbyes: Promise<void>[] = []
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
      const waiter = { resolve, reject, timer: setTimeout(() => take(waiter)?.reject(noTurn()), LONGEST_TURN) }
      waiters.add(waiter)
      if (count < most) void openOne()
    })
  }

  /** Who is taken waits no longer. */
  function take(waiter: Waiter | undefined): Waiter | undefined {
    if (!waiter) return
    clearTimeout(waiter.timer)
    waiters.delete(waiter)
    return waiter
  }

  async function openOne(): Promise<void> {
    count++
    try {
      const session = await openUnbroken()
      failures = 0
      lastFault = null
      session.onBroken(() => forget(session))
      release(session)
    } catch (error) {
      count--
      lastFault = unavailableFrom(error)
      retryAt = performance.now() + Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++)
      if (count === 0) for (const waiter of waiters) take(waiter)?.reject(lastFault)
    }
  }

  /** A server that is stopped can end a session right behind its last answer, before anybody listens for that. */
  async function openUnbroken(): Promise<Session> {
    for (let tries = 1; ; tries++) {
      const session = await open()
      if (!session.isBroken) return session
      if (tries === 2) throw new Error('the server ends every session as soon as it is open')
    }
  }

  function forget(session: Session): void {
    count--
    const at = idle.indexOf(session)
    if (at >= 0) idle.splice(at, 1)
    if (waiters.size > 0) void openOne()
  }

  function release(session: Session): void {
    if (session.isBroken) return
    const waiter = take(waiters.values().next().value)
    if (waiter) waiter.resolve(session)
    else if (isClosed) goodbyes.push(session.end())
    else idle.push(session)
  }

  async function takeTurn<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await acquire()
    try {
      return await work(session)
    } finally {
      release(session)
    }
  }

  return {
    use(work) {
      const turn = takeTurn(work)
      turns.add(turn)
      const isOver = () => turns.delete(turn)
      turn.then(isOver, isOver)
      return turn
    },
    async close() {
      isClosed = true
      for (const session of idle.splice(0)) release(session)
      // Else the server would go on for who has left, with its locks.
      await Promise.allSettled(turns)
      await Promise.all(goodbyes)
    },
  }
}

function noTurn(): StorageUnavailable {
  return new StorageUnavailable(
    `Cannot use the ledger: no connection to PostgreSQL was free for ${LONGEST_TURN / 1000} s. Nothing was allowed that is not on disk.`,
  )
}
