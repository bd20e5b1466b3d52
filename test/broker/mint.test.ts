import { afterEach, beforeEach, expect, test } from 'vitest'
import { type MintedKey, mint } from '#broker/mint.ts'
import { BROKER_CHAIN } from '#domain/audit-event.ts'
import type { Ask } from '#domain/decide.ts'
import { isKey, KEY_ID } from '#domain/key.ts'
import { caller, policy, startWorld, type World } from './world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

const ask: Ask = { providers: ['openai'] }

async function minted(job = caller(), wanted = ask, idempotencyKey: string | null = null): Promise<MintedKey> {
  const outcome = await mint(world, job, wanted, idempotencyKey)
  if (outcome.kind === 'refused') throw new Error(outcome.sentence)
  return outcome
}

async function code(job = caller(), wanted = ask, idempotencyKey: string | null = null): Promise<string> {
  const outcome = await mint(world, job, wanted, idempotencyKey)
  return outcome.kind === 'refused' ? outcome.code : outcome.kind
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

async function brokerEvents() {
  return (await all(world.ledger.events(BROKER_CHAIN))).map(({ event }) => event)
}

test('a job gets a key with the terms of the policy that matches it', async () => {
  world.policies = [policy({ limits: { ...policy().limits, concurrentRequests: 3 } })]
  const { key, grant, unit } = await minted()
  expect(isKey(key)).toBe(true)
  expect(grant.id).toMatch(KEY_ID)
  expect(grant).toMatchObject({
    policy: 'review',
    limit: 25,
    concurrentRequests: 3,
    mintedAt: 1_795_186_800.25,
    expiresAt: 1_795_190_400.25,
  })
  expect(unit).toBe('job')
  expect(await world.ledger.find(world.digest(key))).toEqual(grant)
})

test('what is asked for narrows the terms', async () => {
  const { grant } = await minted(caller(), { providers: ['openai'], activations: 3, expiresInSeconds: 60 })
  expect(grant).toMatchObject({ limit: 3, expiresAt: 1_795_186_860.25 })
  expect([...grant.scope.routes.keys()]).toEqual(['openai'])
})

test('a key of one second lives for one second, in whatever fraction of a second it was minted', async () => {
  world.now += 0.7
  const { grant } = await minted(caller(), { providers: ['openai'], expiresInSeconds: 1 })
  expect((await world.ledger.state(grant, world.now + 0.99)).ended).toBeNull()
  expect((await world.ledger.state(grant, world.now + 1)).ended).toMatchObject({ reason: 'expired' })
})

test('a key that may idle for a second may idle for all of it', async () => {
  world.policies = [policy({ idleAfterSeconds: 1 })]
  world.now += 0.7
  const { grant } = await minted()
  expect((await world.ledger.state(grant, world.now + 0.99)).ended).toBeNull()
  expect((await world.ledger.state(grant, world.now + 1)).ended).toMatchObject({ reason: 'idle' })
})

test('the ledger holds the digest of a key and never its text', async () => {
  const { key, grant } = await minted()
  const events = await all(world.ledger.events(grant.id))
  expect(events.map(({ event }) => event.type)).toEqual(['key.minted'])
  expect(JSON.stringify(events)).not.toContain(key.slice(5))
})

test('an ID token is good for one mint', async () => {
  const job = caller()
  await minted(job)
  expect(await code(job)).toBe('token_replayed')
})

test('a denied mint consumes the ID token', async () => {
  const job = caller({ repository_id: '999' })
  expect(await code(job)).toBe('policy_denied')
  expect(await code(job)).toBe('token_replayed')
})

test('one hundred mints with one ID token make one key', async () => {
  const job = caller()
  const codes = await Promise.all(Array.from({ length: 100 }, () => code(job)))
  expect(codes.filter((outcome) => outcome === 'minted')).toHaveLength(1)
})

test('a second mint of the same job under the same policy is already_minted, with whatever token', async () => {
  await minted()
  expect(await code()).toBe('already_minted')
})

test('a job whose key has ended gets no second one', async () => {
  const { grant } = await minted()
  await world.ledger.end(grant, 'revoked_by_job', world.now)
  expect(await code()).toBe('already_minted')
})

test('a job may have a key of each policy', async () => {
  world.policies = [policy(), policy({ name: 'docs' })]
  await minted()
  expect((await minted(caller(), { ...ask, policy: 'docs' })).grant.policy).toBe('docs')
})

test('a lost answer is repeated with the same idempotency key: the new key replaces the old one', async () => {
  const first = await minted(caller(), ask, 'one-idempotency-key')
  const second = await minted(caller(), ask, 'one-idempotency-key')
  expect(second.key).not.toBe(first.key)
  const { ended } = await world.ledger.state(first.grant, world.now)
  expect(ended?.reason).toBe('reissued')
})

test('a repeated mint gives nothing once an activation is spent', async () => {
  const first = await minted(caller(), ask, 'one-idempotency-key')
  const request = { requestId: 'r_1', provider: 'openai', route: 'POST /v1/responses', model: null }
  await world.ledger.charge(first.grant, request, world.now)
  expect(await code(caller(), ask, 'one-idempotency-key')).toBe('already_minted')
})

test('another idempotency key does not repeat a mint', async () => {
  await minted(caller(), ask, 'one-idempotency-key')
  expect(await code(caller(), ask, 'other-idempotency-key')).toBe('already_minted')
})

function denyId(outcome: object): string | undefined {
  return /till policy explain (d_[0-9A-Za-z]+)/.exec((outcome as { sentence: string }).sentence)?.[1]
}

test('what the ledger refuses is recorded under the id that its sentence names', async () => {
  await minted()
  const outcome = await mint(world, caller(), ask, null)
  expect(await brokerEvents()).toMatchObject([{ code: 'already_minted', deny_id: denyId(outcome) }])
})

test('policy_denied is recorded under the id that its sentence names, with what was considered', async () => {
  const outcome = await mint(world, caller({ event_name: 'issue_comment' }), ask, null)
  expect(outcome).toMatchObject({ kind: 'refused', code: 'policy_denied' })
  const [event] = await brokerEvents()
  expect(event).toMatchObject({
    type: 'mint.refused',
    deny_id: denyId(outcome),
    code: 'policy_denied',
    job: { repository_id: '101', event_name: 'issue_comment' },
    considered: [
      { policy: 'review', check: 'repository_id', passed: true, expected: '101', found: '101' },
      { policy: 'review', check: 'event_name', passed: false, found: 'issue_comment' },
      { policy: 'review', check: 'providers', passed: true },
    ],
  })
})

test('of policies that are about other repositories it is recorded only that they are', async () => {
  world.policies = [policy({ name: 'theirs', repositoryIds: ['202'] }), policy()]
  await mint(world, caller({ event_name: 'issue_comment' }), ask, null)
  const [event] = await brokerEvents()
  const considered = event?.type === 'mint.refused' ? event.considered : []
  expect(considered.map((check) => `${check.policy} ${check.check}`)).toEqual([
    'review repository_id',
    'review event_name',
    'review providers',
    'theirs repository_id',
  ])
})

test('of many policies 200 checks are recorded, those about the repository first', async () => {
  const theirs = Array.from({ length: 250 }, (_, i) => policy({ name: `theirs-${i}`, repositoryIds: ['202'] }))
  world.policies = [...theirs, policy()]
  await mint(world, caller({ event_name: 'issue_comment' }), ask, null)
  const [event] = await brokerEvents()
  const considered = event?.type === 'mint.refused' ? event.considered : []
  expect(considered).toHaveLength(200)
  expect(considered[0]).toMatchObject({ policy: 'review' })
})

test('of a claim no key is recorded, and nothing that moves a terminal', async () => {
  const { key } = await minted()
  await mint(world, caller({ event_name: `a\n${key}` }), ask, null)
  const found = 'a\ufffd[key]'
  expect(await brokerEvents()).toMatchObject([{ considered: [{}, { check: 'event_name', found }, {}] }])
})

test('an outsider is told neither policies nor what they want (CVE-2026-105770 of octo-sts)', async () => {
  const outcome = await mint(world, caller({ repository_id: '999', event_name: 'issue_comment' }), ask, null)
  expect((outcome as { sentence: string }).sentence).not.toMatch(/review|101|event_name|issue_comment/)
})

test('credential_missing mints nothing, is on record and leaves the ID token unused', async () => {
  world.held.delete('openai')
  const job = caller()
  expect(await code(job)).toBe('credential_missing')
  expect(await brokerEvents()).toMatchObject([
    {
      type: 'mint.refused',
      code: 'credential_missing',
      considered: [{ policy: 'review', check: 'credential', passed: false }],
    },
  ])
  world.held.set('openai', 'sk-openai')
  expect(await code(job)).toBe('minted')
})

test('a provider that is not asked for needs no credential', async () => {
  world.held.delete('anthropic')
  expect(await code()).toBe('minted')
})

test.each([
  ['keys_per_run', { keysPerRun: 1 }],
  ['activations_per_run', { activationsPerRun: 40 }],
  ['activations_per_day', { activationsPerDay: 40 }],
])('limit_exceeded: %s', async (name, limit) => {
  world.policies = [policy({ limits: { ...policy().limits, ...limit } })]
  await minted(caller({ check_run_id: '1' }))
  const outcome = await mint(world, caller({ check_run_id: '2' }), ask, null)
  expect(outcome).toMatchObject({ kind: 'refused', code: 'limit_exceeded' })
  expect((outcome as { sentence: string }).sentence).toContain(name)
})

test('limit_exceeded: 60 verified tokens a minute and repository, denied ones among them', async () => {
  const denied = Array.from({ length: 30 }, () => code(caller({ event_name: 'issue_comment' })))
  const allowed = Array.from({ length: 30 }, (_, i) => code(caller({ check_run_id: String(i + 1) })))
  expect(new Set(await Promise.all([...denied, ...allowed]))).toEqual(new Set(['policy_denied', 'minted']))
  const outcome = await mint(world, caller({ check_run_id: '61' }), ask, null)
  expect(outcome).toMatchObject({ code: 'limit_exceeded', retryAfter: 60 })
  // Of the flood it is not each that is on record.
  expect(denyId(outcome)).toBeUndefined()
  expect(await code(caller({ event_name: 'issue_comment' }))).toBe('limit_exceeded')
  expect(await code(caller({ repository_id: '102' }))).toBe('policy_denied')
})

test('the random parts of keys, ids and denials do not repeat', async () => {
  const keys = await Promise.all(Array.from({ length: 20 }, (_, i) => minted(caller({ check_run_id: String(i + 1) }))))
  expect(new Set(keys.map(({ key }) => key)).size).toBe(20)
  expect(new Set(keys.map(({ grant }) => grant.id)).size).toBe(20)
})
