import { expect, onTestFinished, test } from 'vitest'
import type { Log, LogFields } from '#broker/ports.ts'
import type { Request } from '#comment/request.ts'
import { formatKeyId } from '#domain/key.ts'
import type { App } from '#github/app.ts'
import { HeldOff } from '#github/hold-off.ts'
import { jobPoll, POLL_MILLISECONDS } from '#github/poll-jobs.ts'
import { caller, policy, startWorld, type World } from '#test/broker/world.ts'

/** A GitHub that answers from a table of jobs: check run → when it ended. */
function stub(world: World, endOf: ReadonlyMap<string, number>, runOf: (checkRunId: string) => string) {
  const asked: string[] = []
  const logged: (LogFields & { event: string })[] = []
  let fails: (run: string) => Error | null = () => null
  const request: Request = async (_route, parameters = {}) => {
    const { run_id: run, page } = parameters as { run_id: string; page: number }
    asked.push(run)
    const error = fails(run)
    if (error) throw error
    const jobs = [...endOf].filter(([id]) => runOf(id) === run)
    const listed = jobs.map(([id, end]) => ({
      id: Number(id) + 7,
      check_run_url: `https://api.github.com/repos/acme/web/check-runs/${id}`,
      status: end <= world.now ? 'completed' : 'in_progress',
    }))
    const status = jobs.every(([, end]) => end <= world.now) ? 'completed' : 'in_progress'
    return { status: 200, data: { status, jobs: listed.slice((page - 1) * 100, page * 100) } }
  }
  const app: App = { id: 1, requestsTo: async () => request, isInstalled: () => true, login: async () => 'till[bot]' }
  const log: Log = {
    info: (event, fields) => logged.push({ event, ...fields }),
    warn: (event, fields) => logged.push({ event, ...fields }),
    error() {},
  }
  const poll = jobPoll({ ledger: world.ledger, app, clock: () => world.now, log, serves: (url) => url === ISSUER })
  return { poll, asked, logged, failWith: (next: typeof fails) => (fails = next) }
}

const ISSUER = 'https://issuer.test'

async function mint(world: World, claims: Record<string, unknown>, expiresIn = 3600) {
  const { job, token } = caller(claims)
  const id = formatKeyId(world.random(16))
  const grant = {
    id,
    policy: 'review',
    job,
    scope: { routes: new Map(), models: null },
    limit: 5,
    mintedAt: Math.floor(world.now),
    expiresAt: Math.floor(world.now) + expiresIn,
    idleAfterSeconds: null,
    concurrentRequests: 32,
  }
  const { limits } = policy()
  const now = world.now
  const outcome = await world.ledger.mint({
    grant,
    keyDigest: world.digest(id),
    token,
    idempotencyKey: null,
    limits,
    now,
  })
  expect(outcome.kind).toBe('minted')
  return grant
}

async function aWorld(): Promise<World> {
  const world = await startWorld()
  onTestFinished(() => world.close())
  return world
}

test('no request is made while no key is alive', async () => {
  const world = await aWorld()
  const grant = await mint(world, {})
  await world.ledger.end(grant, 'revoked_by_job', world.now)
  const { poll, asked } = stub(world, new Map(), () => '7001')
  await poll()
  expect(asked).toEqual([])
})

test('one request tells of all jobs of a run attempt; those that run keep their keys', async () => {
  const world = await aWorld()
  const over = await mint(world, { check_run_id: '1' })
  const runs = await mint(world, { check_run_id: '2' })
  const ends = new Map([['1', world.now], ['2', world.now + 60]]) // biome-ignore format: one line
  const { poll, asked, logged } = stub(world, ends, () => '7001')
  await poll()
  expect(asked).toEqual(['7001'])
  expect((await world.ledger.state(over, world.now)).ended?.reason).toBe('job_completed')
  expect((await world.ledger.state(runs, world.now)).ended).toBeNull()
  expect(logged).toEqual([{ event: 'job.ended', repository_id: '101', keys: 1, reason: 'poll' }])
})

test('the second page of a large matrix is read', async () => {
  const world = await aWorld()
  const last = await mint(world, { check_run_id: '150' })
  const ends = new Map(Array.from({ length: 150 }, (_, n) => [String(n + 1), world.now] as const))
  await stub(world, ends, () => '7001').poll()
  expect((await world.ledger.state(last, world.now)).ended?.reason).toBe('job_completed')
})

test("jobs of an issuer that is not the App's are not asked about", async () => {
  const world = await aWorld()
  await mint(world, { iss: 'https://ghes.test' })
  const { poll, asked } = stub(world, new Map(), () => '7001')
  await poll()
  expect(asked).toEqual([])
})

test('without a check run the key ends with the whole attempt', async () => {
  const world = await aWorld()
  const { job, token } = caller({})
  const attempt = { job: { ...job, checkRunId: null }, token }
  const id = formatKeyId(world.random(16))
  const grant = { ...(await mint(world, { check_run_id: '9', run_id: '1' })), id, job: attempt.job }
  const entry = { grant, keyDigest: world.digest(id), token, idempotencyKey: null, limits: policy().limits }
  await world.ledger.mint({ ...entry, now: world.now })
  const ends = new Map([['1', world.now], ['2', world.now + 60]]) // biome-ignore format: one line
  const { poll } = stub(world, ends, () => '7001')
  await poll()
  expect((await world.ledger.state(grant, world.now)).ended).toBeNull()
  world.now += 60
  await poll()
  expect((await world.ledger.state(grant, world.now)).ended?.reason).toBe('job_completed')
})

test('a GitHub that fails ends no key and is asked again; the log says how it failed', async () => {
  const world = await aWorld()
  const grant = await mint(world, { check_run_id: '1' })
  const { poll, logged, failWith } = stub(world, new Map([['1', 0]]), () => '7001')
  failWith(() => new HeldOff(world.now + 60))
  await poll()
  expect(logged).toEqual([{ event: 'github.poll_failed', reason: '429', count: 1 }])
  expect((await world.ledger.state(grant, world.now)).ended).toBeNull()
  failWith(() => null)
  await poll()
  expect((await world.ledger.state(grant, world.now)).ended?.reason).toBe('job_completed')
})

test('of 1000 jobs whose post never runs each key is dead within 120 s of its job, or when it expires', async () => {
  const world = await aWorld()
  const start = world.now
  const step = POLL_MILLISECONDS / 1000
  /** Deterministic, and spread over an hour. */
  const spread = (n: number, over: number) => (n * 7919) % over
  const endOf = new Map<string, number>()
  const runOf = (checkRunId: string) => String(5000 + (Number(checkRunId) % 50))
  const keys: { grant: Awaited<ReturnType<typeof mint>>; dueBy: number }[] = []
  for (let n = 0; n < 1000; n++) {
    const checkRunId = String(n + 1)
    // Each tenth job is one that GitHub never tells of.
    const isLost = n % 10 === 9
    const end = start + 30 + spread(n, 1500)
    const claims = { check_run_id: checkRunId, run_id: runOf(checkRunId) }
    const grant = await mint(world, { ...claims, repository_id: String(101 + (n % 25)) }, isLost ? 900 : 3600)
    if (!isLost) endOf.set(checkRunId, end)
    keys.push({ grant, dueBy: isLost ? grant.expiresAt + 1 : end + 120 })
  }
  const { poll, failWith } = stub(world, endOf, runOf)
  // Every third request fails, though none twice in a row for the same run.
  const failed = new Set<string>()
  let requests = 0
  failWith((run) => {
    if (++requests % 3 !== 0 || failed.delete(run)) return null
    failed.add(run)
    return Object.assign(new Error('Server Error'), { status: 502 })
  })

  for (; world.now < start + 1700; world.now += step) {
    await poll()
    await world.ledger.sweep(world.now)
  }
  let latest = 0
  for (const { grant, dueBy } of keys) {
    const { ended } = await world.ledger.state(grant, world.now)
    expect(ended, grant.job.checkRunId!).not.toBeNull()
    latest = Math.max(latest, ended!.at - dueBy)
  }
  expect(latest).toBeLessThanOrEqual(0)
}, 120_000)
