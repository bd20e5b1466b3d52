import { LRUCache } from 'lru-cache'
import type { Clock, Ledger, Log } from '#broker/ports.ts'
import { keepComment, type Memory } from '#comment/keep-comment.ts'
import type { Request } from '#comment/request.ts'
import { isOfOnePlace, isPassing } from '#comment/why-not.ts'
import type { Grant } from '#domain/grant.ts'
import type { Job } from '#domain/job-identity.ts'
import { receiptOf } from '#domain/receipt.ts'
import { COMMENT_MARKER, commentMarkdown, isWorthSaying } from '#views/comment.ts'
import { type JobRow, jobRow } from '#views/job-row.ts'
import type { App } from './app.ts'
import { keepCheckRun } from './check-run.ts'
import { HeldOff } from './hold-off.ts'
import { reportPlace } from './report-place.ts'

export interface ReporterOptions {
  readonly ledger: Ledger
  readonly app: App
  readonly clock: Clock
  readonly log: Log
  /** Whether the App's GitHub is the one behind these tokens. */
  readonly serves: (issuer: string) => boolean
  readonly serverUrl: string
  /** Milliseconds; for tests. */
  readonly times?: Partial<typeof TIMES>
}

/** Tells on GitHub what became of keys, without trusting the jobs that had them. */
export interface Reporter {
  /** A key has ended: what its pull request or its commit shows is brought up to date soon. */
  keyEnded(id: string): void
  /** What ended while no broker ran, or was not told before it stopped. */
  catchUp(): Promise<void>
  /** Whether the broker tells, or leaves it to the post step. */
  commentBy(job: Job): 'broker' | 'action'
  /** Resolves when nothing is under way. What was still to be told is told by `catchUp` after the next start. */
  stop(): Promise<void>
}

/** Milliseconds. */
const TIMES = {
  /** Keys of one run end together; and what a request did is on record a moment after its end. */
  gather: 2_500,
  /** After a failure that may pass, one after the other. */
  retries: [10_000, 60_000, 300_000, 900_000] as readonly number[],
  /** Before it looks whether what it wrote stands: another replica may have written at the same time. */
  settle: 1_000,
}
/** How far back `catchUp` looks. Seconds. */
const CATCH_UP = 3600
const MOST_CATCH_UP = 1000
/** Keys of one pull request that are read; the newest. */
const MOST_KEYS = 200
/** Once a key has ended for that long, its chain is complete. Seconds. */
const COMPLETE_AFTER = 60
const KNOWN_ROWS = 5000
/** For how long a repository, or one pull request, is left to the post step, when the App may not write there. Milliseconds. */
const REFUSED_FOR = 3_600_000

export function reporter(options: ReporterOptions): Reporter {
  const { ledger, app, clock, log, serves, serverUrl } = options
  const times = { ...TIMES, ...options.times }
  const rows = new LRUCache<string, JobRow>({ max: KNOWN_ROWS })
  const refused = new LRUCache<string, true>({ max: KNOWN_ROWS, ttl: REFUSED_FOR })
  /** The comments that were made here, so that none is made twice where GitHub does not list them. */
  const memories = new LRUCache<string, Memory>({ max: KNOWN_ROWS })
  /** By where it is told: what is to come, and what is under way, so that nobody writes there at the same time. */
  const timers = new Map<string, NodeJS.Timeout>()
  const underWay = new Map<string, Promise<void>>()
  let isStopped = false

  /** All keys of one run are told of together, by whichever of them ended last. */
  function soon(grant: Grant, milliseconds: number, failures: number): void {
    const key = `${grant.job.issuer} ${grant.job.repositoryId} ${grant.job.claims['ref']} ${grant.job.runId}`
    if (isStopped) return
    clearTimeout(timers.get(key))
    const run = () => {
      timers.delete(key)
      const before = underWay.get(grant.job.repositoryId) ?? Promise.resolve()
      const now = before.then(() => tryToTell(grant, failures))
      underWay.set(grant.job.repositoryId, now)
      void now.then(() => underWay.get(grant.job.repositoryId) === now && underWay.delete(grant.job.repositoryId))
    }
    timers.set(key, setTimeout(run, milliseconds).unref())
  }

  async function tryToTell(grant: Grant, failures: number): Promise<void> {
    if (isStopped) return
    try {
      await tell(grant.job)
    } catch (error) {
      const { repositoryId } = grant.job
      const status = (error as { status?: number }).status ?? null
      const wait = times.retries[failures]
      log.warn('report.failed', { repository_id: repositoryId, key_id: grant.id, status, count: failures + 1 })
      if (!isPassing(error)) refused.set(isOfOnePlace(error) ? placeOf(grant.job) : repositoryId, true)
      else if (wait !== undefined) soon(grant, Math.max(wait, heldOff(error)), failures + 1)
    }
  }

  function heldOff(error: unknown): number {
    return error instanceof HeldOff ? Math.max(0, error.until - clock()) * 1000 : 0
  }

  async function tell(job: Job): Promise<void> {
    const request = await app.requestsTo(job)
    const place = request && (await reportPlace(job, request))
    if (!request || !place) return
    const { issuer, repositoryId } = job
    const grants = await ledger.ofRefs({ issuer, repositoryId, refs: place.refs, most: MOST_KEYS })
    const shown = place.kind === 'comment' ? grants : grants.filter((grant) => grant.job.runId === job.runId)
    const told: JobRow[] = []
    for (const grant of shown) told.push(await rowOf(grant))
    if (told.length === 0) return
    if (place.kind === 'comment') await comment(request, job, place.number, told)
    else await keepCheckRun(request, { appId: app.id, job, sha: place.sha, rows: told, serverUrl })
    log.info('report.written', { repository_id: repositoryId, keys: told.length, type: place.kind })
  }

  async function comment(request: Request, job: Job, number: number, told: readonly JobRow[]): Promise<void> {
    const [owner = '', repo = ''] = job.repository.split('/')
    const login = await app.login()
    const place = `${job.repositoryId} ${number}`
    const memory: Memory = memories.get(place) ?? { made: null }
    memories.set(place, memory)
    await keepComment({
      request,
      owner,
      repo,
      number,
      marker: COMMENT_MARKER,
      isOurs: ({ author }) => author?.login === login,
      write: (bodies) =>
        bodies.length > 0 || isWorthSaying(told) ? `${COMMENT_MARKER}\n${commentMarkdown(told, { serverUrl })}` : null,
      settle: (took) => new Promise((settled) => setTimeout(settled, times.settle + 2 * took).unref()),
      hesitate: false,
      looks: 5,
      memory,
    })
  }

  async function rowOf(grant: Grant): Promise<JobRow> {
    const known = rows.get(grant.id)
    if (known) return known
    // Records an expiry that has come and that no sweep has seen yet.
    await ledger.state(grant, clock())
    const account = receiptOf()
    for await (const { event, hash } of ledger.events(grant.id)) account.add(event, hash)
    const row = jobRow(account.receipt())
    if (row.ended_at !== null && row.ended_at + COMPLETE_AFTER < clock()) rows.set(grant.id, row)
    return row
  }

  async function ended(id: string): Promise<void> {
    const grant = await ledger.findById(id)
    if (grant && serves(grant.job.issuer)) soon(grant, times.gather, 0)
  }

  return {
    keyEnded(id) {
      ended(id).catch(() => log.error('report.failed', { key_id: id }))
    },
    async catchUp() {
      const now = clock()
      for (const { grant, state } of await ledger.list({ alive: false, now, most: MOST_CATCH_UP }))
        if (state.ended && state.ended.at > now - CATCH_UP && serves(grant.job.issuer)) soon(grant, times.gather, 0)
    },
    commentBy(job) {
      if (!serves(job.issuer) || refused.has(job.repositoryId) || refused.has(placeOf(job))) return 'action'
      const isInstalled = app.isInstalled(job)
      // Asked when the key is minted, so that the answer is there when it ends.
      if (isInstalled === null) app.requestsTo(job).catch(() => {})
      return isInstalled === false ? 'action' : 'broker'
    },
    async stop() {
      isStopped = true
      for (const timer of timers.values()) clearTimeout(timer)
      await Promise.all(underWay.values())
    },
  }
}

function placeOf({ repositoryId, claims }: Job): string {
  return `${repositoryId} ${claims['ref']}`
}
