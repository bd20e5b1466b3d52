import { LRUCache } from 'lru-cache'
import type { Ledger } from '#broker/ports.ts'
import type { AuditEvent } from '#domain/audit-event.ts'
import { BROKER_CHAIN, recordable } from '#domain/audit-event.ts'
import type { Activation, DeadReason, Ending, Grant, GrantState } from '#domain/grant.ts'
import { callQueue } from './call-queue.ts'
import type { GrantEnding } from './grant-transaction.ts'
import { behindCheckpoint, checkpoints, newEvents, sinceCheckpoint, writeCheckpoint } from './postgres/checkpoints.ts'
import { type Draft, endingsOf } from './postgres/draft.ts'
import { endJob } from './postgres/end-job.ts'
import { isUniqueViolation, unavailableFrom } from './postgres/faults.ts'
import { transactionsNow, watchEndings } from './postgres/foreign-endings.ts'
import { forgetKeys } from './postgres/forget-keys.ts'
import { BARRIER, type GrantCall, type LaneCall } from './postgres/grant-calls.ts'
import { openLane } from './postgres/lane.ts'
import { hasTables, migrate } from './postgres/migrate.ts'
import { mint, refuseMint } from './postgres/mint.ts'
import { eventsAfter, list, termsById, termsByKey, termsOfRefs } from './postgres/reads.ts'
import { refDigest } from './postgres/ref-digest.ts'
import { createRecord, readRecord, writeRecord } from './postgres/sealed-records.ts'
import { LONG_DEADLINE, openSession, type Session } from './postgres/session.ts'
import { sessionsOf } from './postgres/sessions.ts'
import { forgetOldRows, sweep } from './postgres/sweep.ts'
import { openTrail } from './postgres/trail.ts'
import { type Statements, transact } from './postgres/transact.ts'
import { type Refused, refusalCounter } from './refusal-counter.ts'
import { decodeGrant } from './stored-grant.ts'

/** Grants that are kept in memory: what of them never changes, by the digest of their key. */
const CACHED_GRANTS = 10_000
/** For so long, so that a key which another replica has forgotten becomes unknown here, too. Milliseconds. */
const CACHED_FOR = 60_000
/** Connections for everything but charges: mints, reads, the sweep. */
const OTHER_SESSIONS = 3
/** How often counted refusals are written. Milliseconds. */
const WRITE_REFUSALS = 500
/** A mint that met another of the same job is decided again, by what stands then. */
const MINT_TRIES = 3

/**
 * The ledger on PostgreSQL, for any number of replicas that share nothing else. It takes five connections: one for
 * charges, one that listens for endings, three for the rest.
 *
 * @param options `url`: `postgresql://USER@HOST/DATABASE`, with what node-postgres takes after it (`?sslmode=`);
 *   `acceptAsynchronousStandbys`: the operator accepts that a failover may forget what was spent
 * @throws {StorageUnavailable} with a sentence for the operator when the server cannot be reached or does not keep our
 *   promises
 */
export async function openPostgresLedger(options: {
  readonly url: string
  readonly acceptAsynchronousStandbys?: boolean
}): Promise<Ledger> {
  const database = { url: options.url, acceptAsynchronousStandbys: options.acceptAsynchronousStandbys ?? false }
  const open = () => openSession(database)
  /** On a connection of its own: what takes long must not keep others waiting. */
  async function patiently<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await openSession(database, LONG_DEADLINE)
    try {
      return await work(session)
    } catch (error) {
      throw unavailableFrom(error)
    } finally {
      await session.end()
    }
  }

  const laneSessions = sessionsOf(open, 1)
  const watchSessions = sessionsOf(open, 1)
  const sessions = sessionsOf(open, OTHER_SESSIONS)
  const closeSessions = () => Promise.all([laneSessions, watchSessions, sessions].map((each) => each.close()))
  const since = await patiently(async (session) => {
    await migrate(session)
    return transactionsNow(session)
  })

  const listeners: ((grantId: string, ending: Ending) => void)[] = []
  const watch = watchEndings(watchSessions, since, (endings) => {
    for (const { id, ending } of endings) for (const listener of listeners) listener(id, ending)
  })
  const grants = new LRUCache<string, Grant>({ max: CACHED_GRANTS, ttl: CACHED_FOR })
  const refusals = refusalCounter<string>()
  const queue = callQueue<LaneCall>(openLane(laneSessions, { endings: watch.tell, refusals: refuse }))
  const call = <T>(call: LaneCall) => queue.call(call) as Promise<T>
  /** What nobody waits for goes with the next batch, or with one of its own a little later. */
  const callPatiently = (call: LaneCall) => queue.call(call, true) as Promise<void>
  /** Changes that are on their way beside the lane. */
  const underway = new Set<Promise<unknown>>()
  let closing: Promise<void> | null = null

  /** Counts refusals; those that are the first of their kind are written at once. */
  function refuse(refused: readonly Refused<string>[]): Promise<unknown> {
    return writeRefusals(refusals.add(refused, performance.now()))
  }

  function writeRefusals(due: readonly Refused<string>[]): Promise<unknown> {
    const written = Promise.all(
      due.map(({ chain, fact, at }) => callPatiently({ verb: 'writeRefusals', id: chain, fact, now: at })),
    )
    written.catch(() => {})
    return written
  }

  async function read<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    try {
      return await sessions.use(work)
    } catch (error) {
      throw unavailableFrom(error)
    }
  }

  async function change<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    const changing = transact(sessions, work)
    underway.add(changing)
    try {
      return await changing
    } catch (error) {
      throw unavailableFrom(error)
    } finally {
      underway.delete(changing)
    }
  }

  function tellOf(drafts: readonly Draft[]): void {
    const endings: readonly GrantEnding[] = endingsOf(drafts)
    if (endings.length > 0) watch.tell(endings)
  }

  const timer = setInterval(() => {
    if (refusals.isOpen) void writeRefusals(refusals.take({ monotonic: performance.now() }))
  }, WRITE_REFUSALS)

  async function close(): Promise<void> {
    clearInterval(timer)
    watch.stop()
    await Promise.allSettled(underway)
    // Refusals that come with what still waits are written after it.
    await call(BARRIER).catch(() => {})
    await writeRefusals(refusals.take('all')).catch(() => {})
    await call(BARRIER).catch(() => {})
    queue.close()
    await closeSessions()
  }

  return {
    async mint(entry) {
      for (let tries = 1; ; tries++) {
        try {
          const { outcome, earlier } = await change((statements) => mint(statements, entry))
          if (earlier) tellOf([earlier])
          return outcome
        } catch (error) {
          if (tries === MINT_TRIES || !isUniqueViolation((error as Error).cause)) throw error
        }
      }
    },
    refuseMint: (entry) => change((statements) => refuseMint(statements, entry)),
    async find(keyDigest) {
      const digest = Buffer.from(keyDigest).toString('hex')
      const cached = grants.get(digest)
      if (cached) return cached
      const grant = decoded(await read((statements) => termsByKey(statements, keyDigest)))
      if (grant) grants.set(digest, grant)
      return grant
    },
    findById: async (id) => decoded(await read((statements) => termsById(statements, id))),
    state: ({ id }, now) => call<GrantState>({ verb: 'state', id, now }),
    charge: ({ id }, request, now) => call<Activation>({ verb: 'charge', id, request, now }),
    admitFree: ({ id }, now) => call<DeadReason | null>({ verb: 'admitFree', id, now }),
    giveBack: ({ id }, requestId, reason, now) => call<void>({ verb: 'giveBack', id, requestId, reason, now }),
    async record({ id }, fact, now) {
      if (fact.type === 'request.finished') return callPatiently({ verb: 'record', id, fact, now })
      const model = fact.model === null ? null : recordable(fact.model)
      await refuse([{ chain: id, fact: { ...fact, route: recordable(fact.route), model }, at: now }])
    },
    async touch(grantIds, now) {
      await Promise.all(grantIds.map((id) => call<void>({ verb: 'touch', id, now })))
    },
    end({ id }, reason, now, operator) {
      const asked: GrantCall = { verb: 'end', id, reason, now }
      return call<Ending>(operator === undefined ? asked : { ...asked, operator })
    },
    async endJob(job, now) {
      const { drafts, ids } = await change((statements) => endJob(statements, job, now))
      tellOf(drafts)
      return ids
    },
    async sweep(now) {
      for (let count = 0; ; ) {
        const { ended, isDone } = await change((statements) => sweep(statements, now))
        tellOf(ended)
        count += ended.length
        const isSwept = await change((statements) => forgetOldRows(statements, now))
        if (isDone && isSwept) return count
      }
    },
    async forgetKeys(endedBefore, now) {
      for (let forgotten = 0; ; ) {
        const part = await change((statements) => forgetKeys(statements, endedBefore, now))
        forgotten += part.forgotten
        if (part.forgotten > 0) grants.clear()
        if (part.isDone) return forgotten
      }
    },
    async *events(chain) {
      if (chain === BROKER_CHAIN) await Promise.allSettled(underway)
      else {
        await call(BARRIER)
        await writeRefusals(refusals.take({ chain }))
        await call(BARRIER)
      }
      for (let after = 0; ; ) {
        const page = await read((statements) => eventsAfter(statements, chain, after))
        for (const { text, hash } of page) yield { event: JSON.parse(text) as AuditEvent, hash }
        if (page.length === 0) return
        after += page.length
      }
    },
    async list(filter) {
      const found = await read((statements) => list(statements, filter))
      return Promise.all(
        found.map(async ({ id, terms }) => ({
          grant: decodeGrant(terms),
          state: await call<GrantState>({ verb: 'state', id, now: filter.now }),
        })),
      )
    },
    async ofRefs({ issuer, repositoryId, refs, most }) {
      const digests = refs.map((ref) => refDigest(issuer, repositoryId, ref))
      return (await read((statements) => termsOfRefs(statements, digests, most))).map(decodeGrant)
    },
    onEnding(listener) {
      listeners.push(listener)
    },
    readRecord: (name) => read((statements) => readRecord(statements, name)),
    writeRecord: (name, value, act) => change((statements) => writeRecord(statements, name, value, act)),
    createRecord: (name, value) => change((statements) => createRecord(statements, name, value)),
    async sinceCheckpoint() {
      await call(BARRIER)
      await writeRefusals(refusals.take('all'))
      await Promise.allSettled(underway)
      return patiently(sinceCheckpoint)
    },
    writeCheckpoint: (checkpoint) => change((statements) => writeCheckpoint(statements, checkpoint)),
    checkpoints: (after, most) => read((statements) => checkpoints(statements, after, most)),
    behindCheckpoint: () => read(behindCheckpoint),
    newEvents: (after, most) => read((statements) => newEvents(statements, after, most)),
    openTrail: () => openTrail(database),
    async check() {
      await change((statements) => statements.query('UPDATE probes SET writes = writes + 1'))
    },
    close() {
      closing ??= close()
      return closing
    },
  }
}

function decoded(terms: string | null): Grant | null {
  return terms === null ? null : decodeGrant(terms)
}

/**
 * Whether a ledger was made in that database.
 *
 * @throws {StorageUnavailable} as {@link openPostgresLedger}
 */
export async function isPostgresLedgerThere(options: Parameters<typeof openPostgresLedger>[0]): Promise<boolean> {
  const session = await openSession({ acceptAsynchronousStandbys: false, ...options })
  try {
    return await hasTables(session)
  } catch (error) {
    throw unavailableFrom(error)
  } finally {
    await session.end()
  }
}
