import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Ledger } from '#broker/ports.ts'
import type { Ending } from '#domain/grant.ts'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { aRequest, mintEntry, minted, T0 } from '#test/contract/mint-entry.ts'
import { verifiedEvents } from '#test/contract/verify-chain.ts'
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts'

const REPLICAS = 3

let postgres: TestPostgres
let url: string
let replicas: Ledger[]

beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.stop())
beforeEach(async () => {
  url = await postgres.createDatabase()
  // They start together, on a database without tables.
  replicas = await Promise.all(Array.from({ length: REPLICAS }, () => openPostgresLedger({ url })))
})
afterEach(() => Promise.all(replicas.map((replica) => replica.close())))

const replica = (n: number): Ledger => replicas[n % REPLICAS]!

test('of 2000 uses of a budget of 50 on three replicas at once exactly 50 are admitted, 20 times', async () => {
  for (let round = 0; round < 20; round++) {
    const grant = await minted(replica(round), { limit: 50 })
    // In every other round they come in the course of 40 ms, so that the batches of the replicas mix.
    const answers = await Promise.all(
      Array.from({ length: 2000 }, async (_, n) => {
        if (round % 2) await sleep(n % 40)
        return replica(n).charge(grant, aRequest(), T0)
      }),
    )
    const admitted = answers.filter(({ kind }) => kind === 'activation')
    expect(admitted.map(({ used }) => used).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n + 1))
    const events = await verifiedEvents(replica(round + 1), grant.id)
    expect(events.filter(({ type }) => type === 'activation')).toHaveLength(50)
    expect((await replica(round + 2).state(grant, T0)).used).toBe(50)
  }
})

test('many keys that all replicas use at once keep their budgets and their chains', async () => {
  const grants = await Promise.all(Array.from({ length: 30 }, (_, n) => minted(replica(n), { limit: 20 })))
  const charges = grants.flatMap((grant) =>
    Array.from({ length: 40 }, (_, n) => replica(n).charge(grant, aRequest(), T0)),
  )
  const answers = await Promise.all(charges)
  expect(answers.filter(({ kind }) => kind === 'activation')).toHaveLength(30 * 20)
  for (const grant of grants)
    expect((await verifiedEvents(replica(1), grant.id)).filter(({ type }) => type === 'activation')).toHaveLength(20)
})

test('no use is admitted after its key was revoked on another replica', async () => {
  for (let round = 0; round < 10; round++) {
    const grant = await minted(replica(0), { limit: 1_000_000 })
    let isRevoked = false
    let late = 0
    const clients = Array.from({ length: 24 }, async (_, n) => {
      for (;;) {
        const wasRevoked = isRevoked
        if ((await replica(n).charge(grant, aRequest(), T0)).kind === 'refused') return
        if (wasRevoked) late++
      }
    })
    await replica(round).end(grant, 'revoked_by_job', T0)
    isRevoked = true
    await Promise.all(clients)
    expect(late).toBe(0)
    const events = await verifiedEvents(replica(1), grant.id)
    const isCharge = ({ type }: { type: string }) => type === 'activation'
    expect(events.findLastIndex(isCharge)).toBeLessThan(events.findIndex(({ type }) => type === 'key.ended'))
    expect((await replica(2).state(grant, T0)).used).toBe(events.filter(isCharge).length)
  }
})

test('one of many mints of a job wins, whichever replicas they come to', async () => {
  for (let round = 0; round < 5; round++) {
    const { job } = mintEntry().grant
    // Clocks that differ by a minute take no common lock on the count of tokens.
    const mints = Array.from({ length: 30 }, (_, n) => replica(n).mint(mintEntry({ job, at: T0 + 60 * (n % 3) })))
    expect((await Promise.all(mints)).filter(({ kind }) => kind === 'minted')).toHaveLength(1)
  }
})

test('what a policy grants a run is not exceeded by mints that race', async () => {
  const limits = { activationsPerRun: 45, keysPerRun: 100, activationsPerDay: 1000 }
  const { job } = mintEntry().grant
  const mints = Array.from({ length: 30 }, (_, n) =>
    replica(n).mint(mintEntry({ limits, job: { ...job, checkRunId: String(n) } })),
  )
  expect((await Promise.all(mints)).filter(({ kind }) => kind === 'minted')).toHaveLength(4)
})

test('a job that is over has no living key, however its end and its mints race', async () => {
  for (let round = 0; round < 20; round++) {
    const entry = mintEntry()
    const { grant } = entry
    const [outcome] = await Promise.all([replica(0).mint(entry), replica(1).endJob(grant.job, T0)])
    if (outcome.kind === 'minted')
      expect((await replica(2).state(grant, T0)).ended).toEqual({ at: T0, reason: 'job_completed' })
    else expect(outcome).toMatchObject({ code: 'job_ended' })
  }
})

test('a heartbeat on one replica keeps another from ending the key as idle', async () => {
  const grant = await minted(replica(0), { idleAfter: 100 })
  await replica(0).charge(grant, aRequest(), T0)
  await replica(1).touch([grant.id], T0 + 90)
  expect(await replica(0).charge(grant, aRequest(), T0 + 150)).toMatchObject({ kind: 'activation' })
  expect(await replica(1).sweep(T0 + 200)).toBe(0)
})

test('an activation that one replica gave back another one admits', async () => {
  const grant = await minted(replica(0), { limit: 1 })
  await replica(0).charge(grant, aRequest('r'), T0)
  expect(await replica(1).charge(grant, aRequest(), T0)).toMatchObject({ code: 'activations_exhausted' })
  await replica(0).giveBack(grant, 'r', 'connect', T0)
  expect(await replica(1).charge(grant, aRequest(), T0)).toMatchObject({ kind: 'activation' })
})

test('replicas that sweep at once end each key once', async () => {
  const grants = await Promise.all(Array.from({ length: 60 }, (_, n) => minted(replica(n), { expiresIn: 10 })))
  const ended = await Promise.all(replicas.map((each) => each.sweep(T0 + 10)))
  expect(ended.reduce((sum, count) => sum + count, 0)).toBe(60)
  for (const grant of grants)
    expect((await verifiedEvents(replica(0), grant.id)).map(({ type }) => type)).toEqual(['key.minted', 'key.ended'])
})

test('every replica hears of each ending once', async () => {
  const heard: [number, string, Ending][] = []
  for (const [n, each] of replicas.entries()) each.onEnding((id, ending) => heard.push([n, id, ending]))
  const grants = await Promise.all(Array.from({ length: 9 }, (_, n) => minted(replica(n))))
  await Promise.all(grants.map((grant, n) => replica(n).end(grant, 'revoked_by_job', T0 + n)))
  await expect.poll(() => heard.length, { timeout: 5000 }).toBe(9 * REPLICAS)
  // Longer than a poll: what was notified is not told again.
  await sleep(2500)
  expect(new Set(heard.map(([n, id]) => `${n} ${id}`)).size).toBe(9 * REPLICAS)
  expect(heard).toHaveLength(9 * REPLICAS)
})

test('an ending whose notification was lost is heard of by the poll', async () => {
  const heard: string[] = []
  replica(0).onEnding((id, { reason }) => heard.push(`${id} ${reason}`))
  const grant = await minted(replica(1))
  await replica(1).state(grant, T0)
  // As a replica does that dies between its commit and what it would have said.
  await postgres.query(
    url,
    `UPDATE grant_states SET version = version + 1, ended_at = ${T0}, end_reason = 'revoked_by_operator', ended_in = pg_current_xact_id()`,
  )
  await expect.poll(() => heard, { timeout: 5000 }).toEqual([`${grant.id} revoked_by_operator`])
  expect(await replica(2).charge(grant, aRequest(), T0)).toMatchObject({ code: 'key_revoked' })
})

test('an event that got its position first and was committed last is not passed over', async () => {
  const grant = await minted(replica(0))
  const [minting] = await replica(0).newEvents(0, 10)
  const slow = new Client({ connectionString: url })
  await slow.connect()
  await slow.query(
    `BEGIN; INSERT INTO events (chain, seq, hash, text) VALUES (77, 1, decode(repeat('00', 32), 'hex'), 'slow')`,
  )
  await replica(1).charge(grant, aRequest(), T0)
  const news = replica(2).newEvents(minting!.position, 10)
  const since = replica(0).sinceCheckpoint()
  await sleep(200)
  await slow.query('COMMIT')
  await slow.end()
  expect((await news).map(({ text }) => text)).toEqual(['slow', expect.stringContaining('"type":"activation"')])
  expect((await since).position).toBe((await news).at(-1)!.position)
  expect((await since).heads.map(({ seq }) => seq).sort()).toEqual([1, 2])
})
