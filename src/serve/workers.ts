import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '#broker/ports.ts'
import type { Config } from '#config.ts'
import type { GitHubLink } from './github.ts'
import { freeAddress, holdAddress } from './listening.ts'
import type { OpenLedger } from './open-ledger.ts'
import { type Peer, peer } from './peer.ts'
import { LAST_ANSWERS_MILLISECONDS, type Planes } from './planes.ts'
import { rethrowForOperator, StartError } from './start-error.ts'
import type { SteadyClock } from './steady-clock.ts'
import type { WorkerMethods } from './worker-process.ts'

/** Before a worker is replaced that ended, in milliseconds: doubled each time, from the first to the last. */
const FIRST_WAIT = 100
const LONGEST_WAIT = 10_000
/** A worker that lived for so long ended by chance: the next one starts at once. Milliseconds. */
const LONG_LIFE = 60_000
/** How long a worker may take to start, and to take a new configuration. Milliseconds. */
const START = 60_000
const RELOAD = 10_000
/**
 * A worker is asked once a second whether it goes on; one that is silent so often in a row is ended, and replaced. Counted,
 * not timed: a machine that slept wakes all of its processes together.
 */
const BEAT = 1_000
const SILENT_BEATS = 15
/** What a worker gets to close, beyond the grace of its streams. Milliseconds. */
const CLOSING = LAST_ANSWERS_MILLISECONDS + 5_000

/** What workers may ask the primary. */
export type PrimaryMethods = Pick<GitHubLink, 'webhook'> & {
  readonly commit: NonNullable<OpenLedger['writer']>['commit']
  readonly commentBy: (...args: Parameters<GitHubLink['commentBy']>) => 'broker' | 'action'
}

interface Member {
  readonly worker: Worker
  readonly peer: Peer<WorkerMethods>
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
}

/**
 * Opens both planes in several processes that share one address. This one, the primary, commits for them
 * (SQLite) and does what a broker does once. They end with it: node:cluster ends a worker whose channel
 * closes, so that none goes on without a ledger. One that ends by itself is replaced.
 *
 * @throws {StartError} that of the first worker that does not start; none is left then
 */
export async function startWorkers({
  config,
  opened,
  steady,
  github,
  log,
}: {
  readonly config: Config
  readonly opened: OpenLedger
  readonly steady: SteadyClock
  readonly github: GitHubLink
  readonly log: Log
}): Promise<Planes> {
  const address = await freeAddress(config.listen)
  const release = await holdAddress(address).catch(rethrowForOperator)
  let current = config
  const stopping = new AbortController()
  const members = new Set<Member>()
  const { writer } = opened
  cluster.setupPrimary({ exec: join(import.meta.dirname, 'worker-process.ts'), args: [], serialization: 'advanced' })

  function hire(): Member {
    const worker = cluster.fork()
    const ours: PrimaryMethods = {
      commit: (batch) => writer!.commit(batch),
      webhook: github.webhook,
      commentBy: github.commentBy,
    }
    const line = {
      // Whether it arrived is known by its answer.
      send: (message: unknown) => void worker.send(message as object, () => {}),
      onMessage: (listener: (message: unknown) => void) => void worker.on('message', listener),
    }
    const member: Member = {
      worker,
      peer: peer<WorkerMethods>(line, ours),
      ended: once(worker, 'exit').then(([code, signal]) => ({ code, signal })),
    }
    members.add(member)
    void member.ended.then(() => {
      members.delete(member)
      member.peer.lost()
    })
    return member
  }

  /** Rejects with a {@link StartError} also when it dies or hangs before it is ready. */
  async function start(member: Member): Promise<void> {
    const died = member.ended.then(({ code, signal }) => {
      throw new StartError(`A worker ended before it was ready (${signal ?? `status ${code}`}).`)
    })
    const ready = member.peer.ask('start', { ...current, listen: address }, steady.clock())
    await Promise.race([within(START, ready, 'A worker was not ready'), died])
    watch(member)
  }

  function watch({ worker, peer, ended }: Member): void {
    let silent = 0
    const timer = setInterval(() => {
      if (silent++ === SILENT_BEATS) worker.process.kill('SIGKILL')
      peer.ask('ping').then(
        () => {
          silent = 0
        },
        () => {},
      )
    }, BEAT).unref()
    void ended.then(() => clearInterval(timer))
  }

  /** Keeps one worker running, whatever becomes of it, beginning with one that runs. */
  async function keep(member: Member): Promise<void> {
    let wait = 0
    for (let now = member; ; now = hire()) {
      const since = performance.now()
      if (now !== member)
        await start(now).catch((error: Error) => {
          if (!stopping.signal.aborted) log.error('worker.not_started', { problem: problemOf(error) })
          now.worker.process.kill('SIGKILL')
        })
      const { code, signal } = await now.ended
      if (stopping.signal.aborted) return
      wait = performance.now() - since > LONG_LIFE ? 0 : Math.min(Math.max(wait * 2, FIRST_WAIT), LONGEST_WAIT)
      log.error('worker.ended', { code, signal, milliseconds: wait })
      await sleep(wait, null, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
    }
  }

  writer?.onEndings((endings) => {
    for (const member of members) member.peer.tell('endings', endings)
  })
  const first = Array.from({ length: config.workers }, hire)
  try {
    await Promise.all(first.map(start))
  } catch (error) {
    for (const { worker } of first) worker.process.kill('SIGKILL')
    await Promise.all(first.map(({ ended }) => ended))
    release()
    throw error
  }
  for (const member of first) void keep(member)

  return {
    address,
    async reload(next) {
      // First, so that a worker which starts meanwhile goes by it, too.
      current = next
      const asked = [...members].map((member) =>
        within(RELOAD, member.peer.ask('reload', next), 'A worker did not answer').catch((error) => {
          // The one that takes its place starts with the new configuration.
          if (error instanceof StartError) member.worker.process.kill('SIGKILL')
          else if (members.has(member)) throw error
        }),
      )
      await Promise.all(asked)
    },
    async close(graceMilliseconds) {
      stopping.abort()
      const left = [...members]
      const late = setTimeout(() => {
        for (const { worker } of left) worker.process.kill('SIGKILL')
      }, graceMilliseconds + CLOSING)
      await Promise.all(
        left.map(async ({ worker, peer, ended }) => {
          await peer.ask('stop', graceMilliseconds).catch(() => worker.process.kill('SIGKILL'))
          if (worker.isConnected()) worker.process.disconnect()
          await ended
        }),
      )
      clearTimeout(late)
      release()
    },
  }
}

/** Rejects when the promise has not settled in time; what becomes of it then is nobody's concern. */
async function within<T>(milliseconds: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StartError(`${what} within ${milliseconds / 1000} s.`)), milliseconds)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** The text of an error that nobody foresaw may quote a secret. */
function problemOf(error: Error): string {
  return error instanceof StartError ? error.message : error.name
}
