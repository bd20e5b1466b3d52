import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Ledger, MintEntry, MintRefusal } from '#broker/ports.ts'
import { type AuditEvent, type AuditFact, jobRecord } from '#domain/audit-event.ts'
import { trailVerifier } from '#domain/audit-trail.ts'
import type { Ending, Grant } from '#domain/grant.ts'
import { aRequest, type MintOptions, mintEntry, minted, T0 } from './mint-entry.ts'
import { verifiedEvents } from './verify-chain.ts'

/** A place where a ledger keeps its rows, and any number of processes can open it. */
export interface Storage {
  open(): Promise<Ledger>
  remove(): Promise<void>
}

type Fact<T extends AuditFact['type']> = Extract<AuditFact, { type: T }>

/** What every ledger promises, whatever it is made of. */
export function ledgerContract(name: string, create: () => Promise<Storage>): void {
  describe(`${name}: what every ledger promises`, () => {
    let storage: Storage
    let ledger: Ledger
    const opened: Ledger[] = []

    const open = async () => {
      const another = await storage.open()
      opened.push(another)
      return another
    }
    beforeEach(async () => {
      storage = await create()
      ledger = await open()
    })
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((each) => each.close()))
      await storage.remove()
    })

    const types = async (chain: string) => (await verifiedEvents(ledger, chain)).map(({ type }) => type)
    const last = async (chain: string) => (await verifiedEvents(ledger, chain)).at(-1) as AuditEvent
    /** When time has passed for who forgets, too: a newer ID token has verified. */
    const sweepLater = async (now: number) => {
      await minted(ledger, { at: now })
      return ledger.sweep(now)
    }

    describe('mint', () => {
      test('a minted grant is found by its key digest and by its id, as it was', async () => {
        const entry = mintEntry({ job: { checkRunId: null }, idleAfter: 60 })
        expect(await ledger.mint(entry)).toEqual({ kind: 'minted', replaced: null })
        const fresh = await open()
        expect(await fresh.find(entry.keyDigest)).toEqual(entry.grant)
        expect(await fresh.findById(entry.grant.id)).toEqual(entry.grant)
        expect(await fresh.find(new Uint8Array(32))).toBeNull()
        expect(await fresh.findById('k_0000000000000000000000')).toBeNull()
      })

      test('its first event says what was granted to whom', async () => {
        const grant = await minted(ledger, { idleAfter: 60 })
        expect(await verifiedEvents(ledger, grant.id)).toMatchObject([
          {
            type: 'key.minted',
            at: T0,
            policy: 'review',
            job: jobRecord(grant.job),
            limit: 10,
            expires_at: T0 + 3600,
            idle_after: 60,
            providers: ['openai'],
            scope: { routes: ['POST /v1/responses'], models: ['gpt-5-mini'] },
          },
        ])
      })

      test('an ID token is good for one mint', async () => {
        await minted(ledger, { jti: 'once' })
        const replay = mintEntry({ jti: 'once' })
        expect(await ledger.mint(replay)).toMatchObject({ kind: 'refused', code: 'token_replayed' })
        expect(await ledger.findById(replay.grant.id)).toBeNull()
      })

      test('of 100 mints with one ID token at once, one wins', async () => {
        const outcomes = await Promise.all(Array.from({ length: 100 }, () => ledger.mint(mintEntry({ jti: 'raced' }))))
        expect(outcomes.filter(({ kind }) => kind === 'minted')).toHaveLength(1)
      })

      test('the same jti of another issuer is another token', async () => {
        await minted(ledger, { jti: 'same' })
        await minted(ledger, { jti: 'same', job: { issuer: 'https://ghes.example.com/_services/token' } })
      })

      test('a token is known until a day after it expired', async () => {
        const entry = mintEntry({ jti: 'old' })
        await ledger.mint(entry)
        await sweepLater(entry.token.expiresAt + 86_400)
        expect(await ledger.mint(mintEntry({ jti: 'old' }))).toMatchObject({ code: 'token_replayed' })
        await sweepLater(entry.token.expiresAt + 86_401)
        expect(await ledger.mint(mintEntry({ jti: 'old' }))).toMatchObject({ kind: 'minted' })
      })

      test('a refused mint consumes its token too, and stands in the chain of the broker', async () => {
        const refusal = aRefusal(mintEntry())
        expect(await ledger.refuseMint(refusal)).toBe('recorded')
        expect(await ledger.refuseMint(refusal)).toBe('token_replayed')
        expect(await verifiedEvents(ledger, 'broker')).toMatchObject([{ type: 'mint.refused', deny_id: 'd_1', seq: 1 }])
      })

      test('a refused mint whose token may be sent again stands there too, and leaves the token', async () => {
        const entry = mintEntry()
        for (const _ of [1, 2]) expect(await ledger.refuseMint(aRefusal(entry, true))).toBe('recorded')
        expect(await ledger.mint(entry)).toMatchObject({ kind: 'minted' })
        expect(await verifiedEvents(ledger, 'broker')).toMatchObject([{ type: 'mint.refused' }, { seq: 2 }])
      })

      test('what the ledger itself refuses stands in the chain of the broker', async () => {
        const grant = await minted(ledger)
        await ledger.mint(mintEntry({ job: grant.job }))
        expect(await verifiedEvents(ledger, 'broker')).toMatchObject([
          { type: 'mint.refused', code: 'already_minted', job: { repository_id: grant.job.repositoryId } },
        ])
      })
    })

    describe('one job, one budget', () => {
      test('a second mint of the job under the policy is already_minted', async () => {
        const { job } = await minted(ledger)
        expect(await ledger.mint(mintEntry({ job }))).toEqual({ kind: 'refused', code: 'already_minted' })
      })

      test('also when the first key has ended', async () => {
        const grant = await minted(ledger)
        await ledger.end(grant, 'revoked_by_job', T0 + 1)
        expect(await ledger.mint(mintEntry({ job: grant.job }))).toMatchObject({ code: 'already_minted' })
      })

      test('also when 50 mints come at once with tokens of their own', async () => {
        const { job } = mintEntry().grant
        const outcomes = await Promise.all(Array.from({ length: 50 }, () => ledger.mint(mintEntry({ job }))))
        expect(outcomes.filter(({ kind }) => kind === 'minted')).toHaveLength(1)
      })

      test('another policy is another budget', async () => {
        const { job } = await minted(ledger)
        await minted(ledger, { job, policy: 'other' })
      })

      test('without a check run the budget is that of the run attempt', async () => {
        const { job } = await minted(ledger, { job: { checkRunId: null } })
        expect(await ledger.mint(mintEntry({ job }))).toMatchObject({ code: 'already_minted' })
        await minted(ledger, { job: { ...job, runAttempt: '2' } })
      })
    })

    describe('a job that is over', () => {
      const over = T0 + 60

      test('its keys of all policies are dead, and nobody else is', async () => {
        const grant = await minted(ledger)
        const second = await minted(ledger, { job: grant.job, policy: 'other' })
        const neighbour = await minted(ledger, { job: { ...grant.job, checkRunId: '1' } })
        expect([...(await ledger.endJob(grant.job, over))].sort()).toEqual([grant.id, second.id].sort())
        for (const dead of [grant, second])
          expect((await ledger.state(dead, over)).ended).toEqual({ at: over, reason: 'job_completed' })
        expect(await ledger.charge(grant, aRequest(), over)).toMatchObject({ code: 'key_revoked' })
        expect((await ledger.state(neighbour, over)).ended).toBeNull()
      })

      test('mints nothing more, under any policy, for a day', async () => {
        const { job } = mintEntry().grant
        await ledger.endJob(job, over)
        expect(await ledger.mint(mintEntry({ job }))).toEqual({ kind: 'refused', code: 'job_ended' })
        await sweepLater(over + 86_400)
        expect(await ledger.mint(mintEntry({ job, policy: 'other' }))).toMatchObject({ code: 'job_ended' })
        await sweepLater(over + 86_401)
        expect(await ledger.mint(mintEntry({ job }))).toMatchObject({ kind: 'minted' })
      })

      test('of more than 500 that are old none is left known', async () => {
        const { job } = mintEntry().grant
        const others = Array.from({ length: 500 }, () => ledger.endJob(mintEntry().grant.job, over))
        await Promise.all([...others, ledger.endJob(job, over + 1)])
        await sweepLater(over + 86_402)
        expect(await ledger.mint(mintEntry({ job }))).toMatchObject({ kind: 'minted' })
      })

      test('ends once, and a key that had ended keeps its ending', async () => {
        const grant = await minted(ledger)
        await ledger.end(grant, 'revoked_by_job', T0 + 1)
        expect(await ledger.endJob(grant.job, over)).toEqual([])
        expect((await ledger.state(grant, over)).ended).toEqual({ at: T0 + 1, reason: 'revoked_by_job' })
      })

      test('is the same job on its own issuer, repository and check run only', async () => {
        const grant = await minted(ledger)
        for (const other of [{ issuer: 'https://ghes.test' }, { repositoryId: '1' }, { checkRunId: '1' }])
          expect(await ledger.endJob({ ...grant.job, ...other }, over)).toEqual([])
      })

      test('is the run attempt where there is no check run', async () => {
        const grant = await minted(ledger, { job: { checkRunId: null } })
        expect(await ledger.endJob({ ...grant.job, runAttempt: '2' }, over)).toEqual([])
        expect(await ledger.endJob(grant.job, over)).toEqual([grant.id])
      })

      test('listeners hear of the endings', async () => {
        const heard: string[] = []
        ledger.onEnding((id, { reason }) => heard.push(`${id} ${reason}`))
        const grant = await minted(ledger)
        await ledger.endJob(grant.job, over)
        expect(heard).toEqual([`${grant.id} job_completed`])
      })
    })

    describe('grants of a ref', () => {
      const on = (ref: string) => ({ claims: { ref } })

      test('are those of that repository and ref, newest first, as many as asked for', async () => {
        const first = await minted(ledger, { job: on('refs/pull/5/merge') })
        const { issuer, repositoryId } = first.job
        const same = { issuer, repositoryId }
        const second = await minted(ledger, { job: { ...same, ...on('refs/heads/topic') } })
        await minted(ledger, { job: { ...same, ...on('refs/pull/55/merge') } })
        await minted(ledger, { job: on('refs/pull/5/merge') })
        await minted(ledger, { job: { ...same, issuer: 'https://ghes.test', ...on('refs/pull/5/merge') } })
        const refs = ['refs/pull/5/merge', 'refs/heads/topic']
        expect(await ledger.ofRefs({ ...same, refs, most: 10 })).toEqual([second, first])
        expect(await ledger.ofRefs({ ...same, refs, most: 1 })).toEqual([second])
      })

      test('do not include one that was replaced', async () => {
        const ask: MintOptions = { idempotencyKey: 'a'.repeat(32) }
        const first = await minted(ledger, ask)
        const again = await minted(ledger, { ...ask, job: first.job })
        const { issuer, repositoryId } = first.job
        expect(await ledger.ofRefs({ issuer, repositoryId, refs: ['refs/heads/main'], most: 10 })).toEqual([again])
      })
    })

    describe('a lost mint answer', () => {
      const ask: MintOptions = { idempotencyKey: 'a'.repeat(32) }

      test('the same idempotency key replaces the key while nothing is spent', async () => {
        const first = await minted(ledger, ask)
        const again = mintEntry({ ...ask, job: first.job, at: T0 + 5 })
        expect(await ledger.mint(again)).toEqual({ kind: 'minted', replaced: first.id })
        expect((await ledger.state(first, T0 + 6)).ended).toEqual({ at: T0 + 5, reason: 'reissued' })
        expect(await ledger.charge(first, aRequest(), T0 + 6)).toMatchObject({ code: 'key_revoked' })
        expect(await ledger.charge(again.grant, aRequest(), T0 + 6)).toMatchObject({ kind: 'activation', used: 1 })
      })

      test('it can be repeated once more', async () => {
        const { job } = await minted(ledger, ask)
        await minted(ledger, { ...ask, job })
        await minted(ledger, { ...ask, job })
      })

      test.each<[string, MintOptions]>([
        ['another idempotency key', { idempotencyKey: 'b'.repeat(32) }],
        ['no idempotency key', {}],
      ])('%s replaces nothing', async (_, options) => {
        const { job } = await minted(ledger, ask)
        expect(await ledger.mint(mintEntry({ ...options, job }))).toMatchObject({ code: 'already_minted' })
      })

      test('nothing is replaced once an activation is spent', async () => {
        const grant = await minted(ledger, ask)
        await ledger.charge(grant, aRequest(), T0)
        expect(await ledger.mint(mintEntry({ ...ask, job: grant.job }))).toMatchObject({ code: 'already_minted' })
      })

      test('nothing is replaced once the key has ended, by time too', async () => {
        const grant = await minted(ledger, { ...ask, expiresIn: 60 })
        expect(await ledger.mint(mintEntry({ ...ask, job: grant.job, at: T0 + 60 }))).toMatchObject({
          code: 'already_minted',
        })
      })

      test('the same ID token is a replay, whatever the idempotency key', async () => {
        const grant = await minted(ledger, { ...ask, jti: 'x' })
        expect(await ledger.mint(mintEntry({ ...ask, job: grant.job, jti: 'x' }))).toMatchObject({
          code: 'token_replayed',
        })
      })
    })

    describe('limits', () => {
      /** Another job of the same run. */
      const sibling = (job: MintEntry['grant']['job']) => ({ ...job, checkRunId: String(++siblings) })
      let siblings = 0

      test('keys_per_run counts mints of the run under the policy, the ended too', async () => {
        const limits = { keysPerRun: 2 }
        const first = await minted(ledger, { limits })
        await ledger.end(first, 'revoked_by_job', T0)
        await minted(ledger, { limits, job: sibling(first.job) })
        expect(await ledger.mint(mintEntry({ limits, job: sibling(first.job) }))).toEqual({
          kind: 'refused',
          code: 'limit_exceeded',
          limit: 'keys_per_run',
        })
        await minted(ledger, { limits, job: sibling(first.job), policy: 'other' })
        await minted(ledger, { limits, job: { ...sibling(first.job), runId: '8' } })
      })

      test('a replaced key does not count', async () => {
        const ask = { limits: { keysPerRun: 1, activationsPerRun: 10, activationsPerDay: 10 }, idempotencyKey: 'k' }
        const { job } = await minted(ledger, ask)
        await minted(ledger, { ...ask, job })
        expect(await ledger.mint(mintEntry({ ...ask, job: sibling(job) }))).toMatchObject({ limit: 'keys_per_run' })
      })

      test.each(['activationsPerRun', 'activationsPerDay'] as const)(
        '%s counts what was granted, less what ended keys left unspent',
        async (limit) => {
          const limits = { [limit]: 15 }
          const code = limit === 'activationsPerRun' ? 'activations_per_run' : 'activations_per_day'
          const first = await minted(ledger, { limits })
          expect(await ledger.mint(mintEntry({ limits, job: sibling(first.job) }))).toMatchObject({ limit: code })
          await ledger.charge(first, aRequest(), T0)
          await ledger.charge(first, aRequest('given-back'), T0)
          await ledger.end(first, 'revoked_by_job', T0)
          await minted(ledger, { limits, job: sibling(first.job), limit: 13 })
          expect(await ledger.mint(mintEntry({ limits, job: sibling(first.job), limit: 1 }))).toMatchObject({
            limit: code,
          })
          await ledger.giveBack(first, 'given-back', 'connect', T0)
          await minted(ledger, { limits, job: sibling(first.job), limit: 1 })
        },
      )

      test("a key that takes the place of yesterday's counts on the new day in full", async () => {
        const ask = { limits: { activationsPerDay: 15 }, idempotencyKey: 'k' }
        const { job } = await minted(ledger, { ...ask, at: T0 + 86_399 })
        await minted(ledger, { limits: ask.limits, at: T0 + 86_400 })
        expect(await ledger.mint(mintEntry({ ...ask, job, at: T0 + 86_401 }))).toMatchObject({
          limit: 'activations_per_day',
        })
        await minted(ledger, { ...ask, job, limit: 5, at: T0 + 86_402 })
      })

      test('runs of two issuers or repositories share no limit, whatever their ids', async () => {
        const limits = { keysPerRun: 1 }
        const { job } = await minted(ledger, { limits })
        await minted(ledger, { limits, job: { ...job, issuer: 'https://ghes.example.com/_services/token' } })
        await minted(ledger, { limits, job: { ...job, repositoryId: '1' } })
      })

      test('activations_per_day is of all runs, and of a day in UTC', async () => {
        const limits = { activationsPerDay: 10 }
        await minted(ledger, { limits, at: T0 + 86_399 })
        expect(await ledger.mint(mintEntry({ limits, at: T0 + 86_399 }))).toMatchObject({
          limit: 'activations_per_day',
        })
        await minted(ledger, { limits, at: T0 + 86_400 })
      })

      test('what a key of the last instant of a day leaves unspent is returned to that day', async () => {
        const limits = { activationsPerDay: 10 }
        const midnight = T0 + 86_400
        const entry = mintEntry({ limits, at: midnight - 1 })
        // The last number before it: whoever rounds finds the next day.
        const last = { ...entry.grant, mintedAt: midnight - 2.4e-7 }
        expect(await ledger.mint({ ...entry, grant: last })).toMatchObject({ kind: 'minted' })
        await minted(ledger, { limits, at: midnight })
        await ledger.end(last, 'revoked_by_job', midnight)
        expect(await ledger.mint(mintEntry({ limits, at: midnight }))).toMatchObject({ limit: 'activations_per_day' })
      })

      test('a refusal by a limit consumes the token and grants nothing', async () => {
        const limits = { activationsPerRun: 5 }
        const entry = mintEntry({ limits, jti: 'spent' })
        expect(await ledger.mint(entry)).toMatchObject({ limit: 'activations_per_run' })
        expect(await ledger.findById(entry.grant.id)).toBeNull()
        expect(await ledger.mint(mintEntry({ jti: 'spent' }))).toMatchObject({ code: 'token_replayed' })
      })

      test.each(['by a mint', 'by a refusal'])('of the tokens beyond 60 the first is on record: %s', async (by) => {
        const job = { repositoryId: '77' }
        for (let i = 0; i < 60; i++) await ledger.refuseMint(aRefusal(mintEntry({ job }), true))
        if (by === 'by a mint') await ledger.mint(mintEntry({ job }))
        else await ledger.refuseMint(aRefusal(mintEntry({ job }), true))
        await ledger.refuseMint(aRefusal(mintEntry({ job })))
        await ledger.mint(mintEntry({ job }))
        const events = await verifiedEvents(ledger, 'broker')
        const considered = [expect.objectContaining({ check: 'mints_per_minute', passed: false })]
        expect(events).toHaveLength(61)
        expect(events.at(-1)).toMatchObject({ type: 'mint.refused', code: 'limit_exceeded', considered })
      })

      test('60 tokens a minute and repository are looked at, replays and refusals included, and known for a day', async () => {
        const job = { repositoryId: '77' }
        await minted(ledger, { job, jti: 'again' })
        for (let i = 0; i < 29; i++) await ledger.mint(mintEntry({ job, jti: 'again' }))
        for (const mayBeSentAgain of [false, true])
          for (let i = 0; i < 15; i++)
            expect(await ledger.refuseMint(aRefusal(mintEntry({ job }), mayBeSentAgain))).toBe('recorded')
        expect(await ledger.mint(mintEntry({ job }))).toMatchObject({ limit: 'mints_per_minute' })
        for (const mayBeSentAgain of [false, true])
          expect(await ledger.refuseMint(aRefusal(mintEntry({ job }), mayBeSentAgain))).toBe('limit_exceeded')
        await minted(ledger, { job: { repositoryId: '78' } })
        await minted(ledger, { job: { ...job, issuer: 'https://ghes.example.com/_services/token' } })
        await minted(ledger, { job, at: T0 + 60 })
        await sweepLater(T0 + 86_459)
        expect(await ledger.mint(mintEntry({ job }))).toMatchObject({ limit: 'mints_per_minute' })
        await sweepLater(T0 + 86_460)
        await minted(ledger, { job })
      })

      test('what a run was granted is known until 100 days after its last key', async () => {
        const limits = { keysPerRun: 2 }
        const { job } = await minted(ledger, { limits })
        await minted(ledger, { limits, job: sibling(job), at: T0 + 10 })
        await sweepLater(T0 + 10 + 8_640_000)
        expect(await ledger.mint(mintEntry({ limits, job: sibling(job) }))).toMatchObject({ limit: 'keys_per_run' })
        await sweepLater(T0 + 11 + 8_640_000)
        await minted(ledger, { limits, job: sibling(job) })
      })
    })

    describe('charge', () => {
      test('the last activation is admitted, the next request is refused', async () => {
        const grant = await minted(ledger, { limit: 2 })
        expect(await ledger.charge(grant, aRequest(), T0)).toEqual({ kind: 'activation', used: 1, limit: 2 })
        expect(await ledger.charge(grant, aRequest(), T0)).toEqual({ kind: 'activation', used: 2, limit: 2 })
        expect(await ledger.charge(grant, aRequest(), T0)).toEqual({
          kind: 'refused',
          code: 'activations_exhausted',
          ended: null,
          used: 2,
          limit: 2,
        })
        expect((await ledger.state(grant, T0)).ended).toBeNull()
      })

      test('2000 charges of a budget of 50 at once admit exactly 50', async () => {
        const grant = await minted(ledger, { limit: 50 })
        const answers = await Promise.all(Array.from({ length: 2000 }, () => ledger.charge(grant, aRequest(), T0 + 1)))
        expect(answers.filter(({ kind }) => kind === 'activation').map(({ used }) => used)).toEqual(
          Array.from({ length: 50 }, (_, i) => i + 1),
        )
        const events = await verifiedEvents(ledger, grant.id)
        expect(events.filter(({ type }) => type === 'activation')).toHaveLength(50)
        expect(refusalsIn(events)).toBe(1950)
      })

      test('two handles on one storage never admit more than the budget', async () => {
        const other = await open()
        const grant = await minted(ledger, { limit: 20 })
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_, i) => (i % 2 ? ledger : other).charge(grant, aRequest(), T0)),
        )
        expect(answers.filter(({ kind }) => kind === 'activation')).toHaveLength(20)
        expect((await ledger.state(grant, T0)).used).toBe(20)
      })

      test('its event says what was asked, by whom it is answered, and the count', async () => {
        const grant = await minted(ledger)
        await ledger.charge(grant, { ...aRequest('r'), model: 'a\nb' }, T0 + 0.25)
        expect(await last(grant.id)).toMatchObject({
          type: 'activation',
          at: T0 + 0.25,
          request_id: 'r',
          provider: 'openai',
          route: 'POST /v1/responses',
          model: 'a\ufffdb',
          used: 1,
        })
      })

      test('a call that cannot be written takes no other with it', async () => {
        const grant = await minted(ledger)
        const [bad, good] = await Promise.allSettled([
          ledger.charge(grant, { ...aRequest(), route: '\ud800' }, T0),
          ledger.charge(grant, aRequest(), T0),
        ])
        expect(bad).toMatchObject({ status: 'rejected', reason: { name: 'StorageUnavailable' } })
        expect(good).toMatchObject({ status: 'fulfilled', value: { used: 1 } })
      })

      test('a free request may pass while the key is alive and not spent, and writes nothing', async () => {
        const grant = await minted(ledger, { limit: 1 })
        expect(await ledger.admitFree(grant, T0)).toBeNull()
        expect(await types(grant.id)).toEqual(['key.minted'])
        await ledger.charge(grant, aRequest(), T0)
        expect(await ledger.admitFree(grant, T0)).toBe('activations_exhausted')
        await ledger.end(grant, 'revoked_by_operator', T0)
        expect(await ledger.admitFree(grant, T0)).toBe('key_revoked')
      })
    })

    describe('give back', () => {
      test('an activation given back can be used again', async () => {
        const grant = await minted(ledger, { limit: 1 })
        await ledger.charge(grant, aRequest('r'), T0)
        await ledger.giveBack(grant, 'r', 'dns', T0 + 1)
        expect(await ledger.state(grant, T0 + 1)).toMatchObject({ used: 0, givenBack: 1 })
        expect(await ledger.charge(grant, aRequest(), T0 + 1)).toMatchObject({ kind: 'activation', used: 1 })
        expect(await types(grant.id)).toEqual(['key.minted', 'activation', 'activation.given_back', 'activation'])
      })

      test('once for each request', async () => {
        const grant = await minted(ledger)
        await ledger.charge(grant, aRequest(), T0)
        await ledger.charge(grant, aRequest('r'), T0)
        await Promise.all([ledger.giveBack(grant, 'r', 'tls', T0), ledger.giveBack(grant, 'r', 'tls', T0)])
        await ledger.giveBack(grant, 'r', 'tls', T0)
        expect((await ledger.state(grant, T0)).used).toBe(1)
      })

      test('while the key lives, not to its run', async () => {
        const limits = { activationsPerRun: 10 }
        const grant = await minted(ledger, { limits })
        await ledger.charge(grant, aRequest('r'), T0)
        await ledger.giveBack(grant, 'r', 'dns', T0)
        const sibling = { ...grant.job, checkRunId: '1' }
        expect(await ledger.mint(mintEntry({ limits, job: sibling, limit: 1 }))).toMatchObject({
          limit: 'activations_per_run',
        })
      })

      test('never for a request that was not charged, or has finished', async () => {
        const grant = await minted(ledger)
        await ledger.charge(grant, aRequest('r'), T0)
        await ledger.record(grant, finished('r'), T0)
        await ledger.giveBack(grant, 'r', 'tls', T0)
        await ledger.giveBack(grant, 'unknown', 'tls', T0)
        expect((await ledger.state(grant, T0)).used).toBe(1)
      })
    })

    describe('the end of a key', () => {
      test.each([
        ['revoked_by_job', 'key_revoked'],
        ['revoked_by_operator', 'key_revoked'],
        ['job_completed', 'key_revoked'],
      ] as const)('after %s a charge is refused with %s', async (reason, code) => {
        const grant = await minted(ledger)
        expect(await ledger.end(grant, reason, T0 + 9)).toEqual({ at: T0 + 9, reason })
        expect(await ledger.charge(grant, aRequest(), T0 + 9)).toMatchObject({ kind: 'refused', code })
        expect(await ledger.charge(grant, aRequest(), T0)).toMatchObject({ kind: 'refused', code })
      })

      test('repeating it is harmless and changes nothing', async () => {
        const grant = await minted(ledger)
        const ending = await ledger.end(grant, 'revoked_by_job', T0 + 1)
        expect(await ledger.end(grant, 'revoked_by_operator', T0 + 2, 'ada')).toEqual(ending)
        expect(await types(grant.id)).toEqual(['key.minted', 'key.ended'])
      })

      test('an operator is named', async () => {
        const grant = await minted(ledger)
        await ledger.end(grant, 'revoked_by_operator', T0, 'ada')
        expect((await verifiedEvents(ledger, grant.id)).slice(1)).toMatchObject([
          { type: 'operator.revoke', operator: 'ada' },
          { type: 'key.ended', reason: 'revoked_by_operator' },
        ])
      })

      test.each([
        ['expired', { expiresIn: 100 }],
        ['idle', { idleAfter: 100 }],
      ] as const)(
        'a key that is %s is recorded as ended at its own instant, whenever it is looked at',
        async (reason, options) => {
          const grant = await minted(ledger, options)
          expect((await ledger.state(grant, T0 + 99.9)).ended).toBeNull()
          expect(await ledger.charge(grant, aRequest(), T0 + 500)).toMatchObject({ code: 'key_expired' })
          expect((await ledger.state(grant, T0 + 600)).ended).toEqual({ at: T0 + 100, reason })
          expect((await verifiedEvents(ledger, grant.id))[1]).toMatchObject({ type: 'key.ended', at: T0 + 100, reason })
        },
      )

      test('a clock that goes back revives nothing', async () => {
        const grant = await minted(ledger, { expiresIn: 100 })
        await ledger.admitFree(grant, T0 + 100)
        expect(await ledger.charge(grant, aRequest(), T0 + 1)).toMatchObject({ code: 'key_expired' })
        expect(await ledger.end(grant, 'revoked_by_job', T0 + 1)).toEqual({ at: T0 + 100, reason: 'expired' })
      })

      test('charges, finishes and heartbeats keep a key from idling away', async () => {
        const grant = await minted(ledger, { idleAfter: 100 })
        await ledger.charge(grant, aRequest('r'), T0 + 90)
        await ledger.touch([grant.id], T0 + 180)
        await ledger.record(grant, finished('r'), T0 + 270)
        expect(await ledger.state(grant, T0 + 369)).toMatchObject({ activeAt: T0 + 270, ended: null })
        expect((await ledger.state(grant, T0 + 370)).ended).toEqual({ at: T0 + 370, reason: 'idle' })
      })

      test('a charge or a finish of the past takes no time from a key', async () => {
        const grant = await minted(ledger, { idleAfter: 100 })
        await ledger.charge(grant, aRequest(), T0 + 50)
        await ledger.charge(grant, aRequest('r'), T0 + 10)
        await ledger.record(grant, finished('r'), T0 + 20)
        expect((await ledger.state(grant, T0 + 60)).activeAt).toBe(T0 + 50)
      })

      test('a heartbeat of the past or of an ended key changes nothing', async () => {
        const grant = await minted(ledger, { idleAfter: 100 })
        await ledger.touch([grant.id], T0 - 50)
        expect((await ledger.state(grant, T0)).activeAt).toBe(T0)
        await ledger.touch([grant.id], T0 + 100)
        expect(await ledger.state(grant, T0)).toMatchObject({ activeAt: T0, ended: { reason: 'idle' } })
      })

      test.each(['revoked_by_job', 'expired'] as const)(
        'a spent key whose last request has finished is exhausted, when %s comes',
        async (reason) => {
          const grant = await minted(ledger, { limit: 1, expiresIn: 100 })
          await ledger.charge(grant, aRequest('r'), T0)
          await ledger.record(grant, finished('r'), T0)
          if (reason === 'revoked_by_job') await ledger.end(grant, reason, T0 + 50)
          expect((await ledger.state(grant, T0 + 100)).ended?.reason).toBe('exhausted')
        },
      )

      test('a spent key whose last request is open is not exhausted', async () => {
        const grant = await minted(ledger, { limit: 1 })
        await ledger.charge(grant, aRequest('r'), T0)
        expect(await ledger.end(grant, 'revoked_by_job', T0)).toMatchObject({ reason: 'revoked_by_job' })
      })

      test('a free request that finishes is no activation that finished', async () => {
        const grant = await minted(ledger, { limit: 1 })
        await ledger.record(grant, { ...finished('free'), free: true }, T0)
        await ledger.charge(grant, aRequest('r'), T0)
        expect(await ledger.end(grant, 'revoked_by_job', T0)).toMatchObject({ reason: 'revoked_by_job' })
      })

      test('the sweep ends what time has ended, and nothing else', async () => {
        const expired = await minted(ledger, { expiresIn: 10 })
        const idle = await minted(ledger, { idleAfter: 20 })
        const active = await minted(ledger, { idleAfter: 20 })
        await ledger.charge(active, aRequest(), T0 + 15)
        expect(await ledger.sweep(T0 + 5)).toBe(0)
        expect(await ledger.sweep(T0 + 30)).toBe(2)
        expect(await ledger.sweep(T0 + 30)).toBe(0)
        expect((await ledger.state(expired, T0)).ended).toEqual({ at: T0 + 10, reason: 'expired' })
        expect((await ledger.state(idle, T0)).ended).toEqual({ at: T0 + 20, reason: 'idle' })
        expect((await ledger.state(active, T0)).ended).toBeNull()
        expect(await ledger.sweep(T0 + 35)).toBe(1)
      })

      test('listeners hear of each ending once, of those of other processes too', async () => {
        const other = await open()
        const heard: [string, Ending][] = []
        ledger.onEnding((id, ending) => heard.push([id, ending]))
        const [here, there] = [await minted(ledger), await minted(ledger)]
        await ledger.end(here, 'revoked_by_job', T0 + 1)
        await other.end(there, 'revoked_by_operator', T0 + 2, 'ada')
        await expect.poll(() => heard.length, { timeout: 5000 }).toBe(2)
        expect(new Map(heard)).toEqual(
          new Map([
            [here.id, { at: T0 + 1, reason: 'revoked_by_job' }],
            [there.id, { at: T0 + 2, reason: 'revoked_by_operator' }],
          ]),
        )
        expect(await ledger.charge(there, aRequest(), T0 + 3)).toMatchObject({ code: 'key_revoked' })
      })
    })

    test('an ending is heard though a call beside it cannot be written', async () => {
      const heard: string[] = []
      ledger.onEnding((id) => heard.push(id))
      const grant = await minted(ledger)
      const [bad] = await Promise.allSettled([
        ledger.charge(grant, { ...aRequest(), route: '\ud800' }, T0),
        ledger.end(grant, 'revoked_by_job', T0),
      ])
      expect(bad).toMatchObject({ status: 'rejected' })
      await expect.poll(() => heard).toEqual([grant.id])
    })

    test('an ending by another process is heard though the next call here fails', async () => {
      const other = await open()
      const grant = await minted(ledger)
      await ledger.state(grant, T0)
      const heard: string[] = []
      ledger.onEnding((id) => heard.push(id))
      await other.end(grant, 'revoked_by_operator', T0 + 1, 'ada')
      const unknown = { ...grant, id: 'k_0000000000000000000000' }
      await expect(ledger.charge(unknown, aRequest(), T0 + 1)).rejects.toMatchObject({ name: 'StorageUnavailable' })
      await expect.poll(() => heard, { timeout: 6000 }).toEqual([grant.id])
    })

    test('what one process has written the other one sees at once', async () => {
      const other = await open()
      const grant = await minted(ledger)
      expect(await ledger.admitFree(grant, T0)).toBeNull()
      await other.charge(grant, aRequest(), T0)
      expect((await ledger.state(grant, T0)).used).toBe(1)
      await other.end(grant, 'revoked_by_operator', T0, 'ada')
      expect(await ledger.admitFree(grant, T0)).toBe('key_revoked')
      expect(await types(grant.id)).toEqual(['key.minted', 'activation', 'operator.revoke', 'key.ended'])
    })

    describe('events', () => {
      test('equal refusals that come close together are one event with their count', async () => {
        const grant = await minted(ledger)
        await Promise.all(Array.from({ length: 500 }, () => ledger.record(grant, refusedRequest(), T0)))
        const refusals = (await verifiedEvents(ledger, grant.id)).slice(1)
        expect(refusalsIn(refusals)).toBe(500)
        expect(refusals.length).toBeLessThan(10)
      })

      test('a flood of different refusals is bounded, and none is lost', async () => {
        const grant = await minted(ledger)
        await Promise.all(Array.from({ length: 500 }, (_, i) => ledger.record(grant, refusedRequest(`GET /${i}`), T0)))
        const refusals = (await verifiedEvents(ledger, grant.id)).slice(1)
        expect(refusalsIn(refusals)).toBe(500)
        expect(refusals.length).toBeLessThan(100)
      })

      test('counted refusals survive a clean stop', async () => {
        const grant = await minted(ledger)
        await Promise.all(Array.from({ length: 20 }, () => ledger.record(grant, refusedRequest(), T0)))
        await ledger.close()
        ledger = await open()
        expect(refusalsIn(await verifiedEvents(ledger, grant.id))).toBe(20)
      })

      test('counted refusals are in the chain though a call beside the reading cannot be written', async () => {
        const grant = await minted(ledger)
        await Promise.all([1, 2, 3].map(() => ledger.record(grant, refusedRequest(), T0)))
        const [events, bad] = await Promise.allSettled([
          verifiedEvents(ledger, grant.id),
          ledger.charge(grant, { ...aRequest(), route: '\ud800' }, T0),
        ])
        expect(bad).toMatchObject({ status: 'rejected' })
        expect(events).toMatchObject({ status: 'fulfilled' })
        expect(refusalsIn(await verifiedEvents(ledger, grant.id))).toBe(3)
      })

      test('a long chain is read whole and in order, while others grow beside it', async () => {
        const [one, two] = [await minted(ledger, { limit: 500 }), await minted(ledger, { limit: 500 })]
        await Promise.all(
          Array.from({ length: 700 }, (_, i) => ledger.charge(i % 2 ? one : two, aRequest(), T0 + i / 1000)),
        )
        expect(await types(one.id)).toEqual(['key.minted', ...Array.from({ length: 350 }, () => 'activation')])
        expect(await types(two.id)).toHaveLength(351)
      })

      test.each([63, 64, 65, 128])('a chain of %i events is read whole', async (length) => {
        const grant = await minted(ledger, { limit: 200 })
        await Promise.all(Array.from({ length: length - 1 }, () => ledger.charge(grant, aRequest(), T0)))
        expect(await types(grant.id)).toHaveLength(length)
      })

      test('a chain that is not there is empty', async () => {
        expect(await types('k_0000000000000000000000')).toEqual([])
        expect(await types('broker')).toEqual([])
      })

      test('everything that was recorded before the call is included', async () => {
        const grant = await minted(ledger)
        void ledger.charge(grant, aRequest('r'), T0)
        void ledger.record(grant, refusedRequest(), T0)
        void ledger.record(grant, finished('r'), T0)
        expect((await types(grant.id)).sort()).toEqual([
          'activation',
          'key.minted',
          'request.finished',
          'request.refused',
        ])
      })
    })

    describe('list', () => {
      test('newest first, at most so many, with their state', async () => {
        const grants = [await minted(ledger), await minted(ledger), await minted(ledger, { expiresIn: 10 })]
        await ledger.charge(grants[1]!, aRequest(), T0)
        const ids = async (filter: { alive?: boolean; most?: number }) =>
          (await ledger.list({ ...filter, now: T0 + 10 })).map(({ grant }) => grant.id)
        const [a, b, c] = grants.map(({ id }) => id)
        expect(await ids({})).toEqual([c, b, a])
        expect(await ids({ most: 1 })).toEqual([c])
        expect(await ids({ alive: true })).toEqual([b, a])
        expect(await ids({ alive: false })).toEqual([c])
        expect((await ledger.list({ now: T0 + 10 })).map(({ state }) => state)).toMatchObject([
          { used: 0, ended: { at: T0 + 10, reason: 'expired' } },
          { used: 1, ended: null },
          { used: 0, ended: null },
        ])
      })

      test('alive are those that have neither ended, expired nor idled away, though no sweep has come by', async () => {
        const options = [{}, { idleAfter: 10 }, { idleAfter: 10 }, { expiresIn: 10 }, {}]
        const [plain, active, idle, expired, ended] = (await Promise.all(
          options.map((each) => minted(ledger, each)),
        )) as [Grant, Grant, Grant, Grant, Grant]
        await ledger.charge(active, aRequest(), T0 + 5)
        await ledger.end(ended, 'revoked_by_job', T0 + 5)
        const ids = async (alive: boolean) =>
          (await ledger.list({ alive, now: T0 + 10 })).map(({ grant }) => grant.id).sort()
        expect(await ids(true)).toEqual([plain.id, active.id].sort())
        expect(await ids(false)).toEqual([idle.id, expired.id, ended.id].sort())
      })
    })

    describe('sealed records', () => {
      test('a record is read as it was written last', async () => {
        expect(await ledger.readRecord('signing-key')).toBeNull()
        await ledger.writeRecord('signing-key', Uint8Array.of(1, 2))
        await ledger.writeRecord('signing-key', Uint8Array.of(0, 255))
        expect(await (await open()).readRecord('signing-key')).toEqual(Uint8Array.of(0, 255))
      })

      test('a record that an operator gave is an event of the broker, which says who', async () => {
        const fact = { type: 'operator.set_credential', operator: 'cli:ada', provider: 'groq' } as const
        await ledger.writeRecord('credential', Uint8Array.of(1), { fact, now: T0 })
        expect(await verifiedEvents(ledger, 'broker')).toMatchObject([fact])
        expect(await ledger.readRecord('credential')).toEqual(Uint8Array.of(1))
      })

      test('of those that create a record at once, one wins and all get it', async () => {
        const other = await open()
        const records = await Promise.all(
          [1, 2, 3, 4].map((byte) => (byte % 2 ? ledger : other).createRecord('once', Uint8Array.of(byte))),
        )
        expect(new Set(records.map((record) => record[0])).size).toBe(1)
        expect(await ledger.readRecord('once')).toEqual(records[0])
      })
    })

    describe('open and close', () => {
      test('everything is there when it is opened again', async () => {
        const grant = await minted(ledger, { idempotencyKey: 'k' })
        await ledger.charge(grant, aRequest(), T0 + 1)
        const before = [await ledger.state(grant, T0 + 1), await verifiedEvents(ledger, grant.id)]
        await ledger.close()
        ledger = await open()
        expect([await ledger.state(grant, T0 + 1), await verifiedEvents(ledger, grant.id)]).toEqual(before)
      })

      test('what was asked before close is done, what is asked after it is refused', async () => {
        const grant = await minted(ledger)
        const waiting = ledger.charge(grant, aRequest(), T0)
        const closed = ledger.close()
        expect(await waiting).toMatchObject({ used: 1 })
        await closed
        await expect(ledger.charge(grant, aRequest(), T0)).rejects.toMatchObject({ name: 'StorageUnavailable' })
        await ledger.close()
      })
    })

    describe('checkpoints and the stored trail', () => {
      const checkpoint = async (seq: number) => {
        const { position, heads } = await ledger.sinceCheckpoint()
        return ledger.writeCheckpoint({ seq, jws: `signed.${seq}`, position, heads })
      }
      const trail = async (chain?: string) => {
        const verifier = trailVerifier((bytes) => createHash('sha256').update(bytes).digest('hex'))
        const opened = await ledger.openTrail()
        try {
          for await (const record of opened.records(chain)) verifier.add(record)
          return verifier.end()
        } finally {
          await opened.close()
        }
      }

      test('the heads of the chains that grew since the last checkpoint, and of no other', async () => {
        const [one, two] = [await minted(ledger), await minted(ledger)]
        await ledger.refuseMint(aRefusal(mintEntry()))
        const { last, heads } = await ledger.sinceCheckpoint()
        expect(last).toBeNull()
        expect(heads.map(({ chain, seq }) => `${chain} ${seq}`).sort()).toEqual(
          ['broker 1', `${one.id} 1`, `${two.id} 1`].sort(),
        )
        expect(await checkpoint(1)).toBe(true)
        expect(await ledger.sinceCheckpoint()).toMatchObject({ last: { seq: 1, jws: 'signed.1' }, heads: [] })
        await ledger.charge(two, aRequest(), T0)
        expect((await ledger.sinceCheckpoint()).heads).toMatchObject([{ chain: two.id, seq: 2 }])
      })

      test('refusals that are counted and not written are in it', async () => {
        const grant = await minted(ledger)
        for (let i = 0; i < 3; i++) await ledger.record(grant, refusedRequest(), T0)
        expect((await ledger.sinceCheckpoint()).heads).toMatchObject([{ chain: grant.id, seq: 3 }])
      })

      test('of two checkpoints of one seq the first stands', async () => {
        await minted(ledger)
        expect(await checkpoint(1)).toBe(true)
        await minted(ledger)
        expect(await checkpoint(1)).toBe(false)
        expect((await ledger.sinceCheckpoint()).heads).toHaveLength(1)
        expect(await checkpoint(2)).toBe(true)
        expect(await ledger.checkpoints(0, 10)).toEqual([
          { seq: 1, jws: 'signed.1' },
          { seq: 2, jws: 'signed.2' },
        ])
        expect(await ledger.checkpoints(1, 10)).toMatchObject([{ seq: 2 }])
        expect(await ledger.behindCheckpoint()).toBeNull()
      })

      test('the trail is everything, or one chain, and verifies; what comes later is not in it', async () => {
        const [one, two] = [await minted(ledger), await minted(ledger)]
        await ledger.charge(one, aRequest(), T0)
        await checkpoint(1)
        await ledger.charge(two, aRequest(), T0)
        expect(await trail()).toEqual({ chains: 3, events: 4, unwitnessed: 1, faults: [], faultyChains: 0 })
        expect(await trail(one.id)).toMatchObject({ chains: 1, events: 2, unwitnessed: 0, faults: [] })
        const opened = await ledger.openTrail()
        await ledger.charge(two, aRequest(), T0)
        const records = []
        for await (const record of opened.records(two.id)) records.push(record)
        await opened.close()
        expect(records.filter(({ kind }) => kind === 'event')).toHaveLength(2)
      })

      test('the trail has every checkpoint with its heads', async () => {
        const { id } = await minted(ledger)
        await checkpoint(1)
        const opened = await ledger.openTrail()
        const stored = []
        for await (const each of opened.checkpoints()) stored.push(each)
        await opened.close()
        expect(stored).toMatchObject([{ seq: 1, jws: 'signed.1', heads: [{ chain: id, seq: 1 }] }])
      })

      test('keys that ended before are forgotten with their chains, and the trail says so and verifies', async () => {
        const [old, recent, alive] = [await minted(ledger), await minted(ledger), await minted(ledger)]
        await ledger.charge(old, aRequest(), T0)
        await ledger.end(old, 'revoked_by_job', T0 + 10)
        await ledger.end(recent, 'revoked_by_job', T0 + 20)
        await checkpoint(1)
        expect(await ledger.forgetKeys(T0 + 15, T0 + 100)).toBe(0)
        await ledger.charge(alive, aRequest(), T0 + 30)
        await checkpoint(2)
        expect(await ledger.forgetKeys(T0 + 15, T0 + 100)).toBe(1)
        expect(await ledger.forgetKeys(T0 + 15, T0 + 100)).toBe(0)

        expect(await ledger.findById(old.id)).toBeNull()
        expect(await ledger.find(createHash('sha256').update(old.id).digest())).toBeNull()
        expect(await types(old.id)).toEqual([])
        expect((await ledger.list({ now: T0 + 100 })).map(({ grant }) => grant.id)).toEqual([alive.id, recent.id])
        expect(await last('broker')).toMatchObject({ type: 'operator.forget', key: old.id, events: 3 })
        expect(await trail()).toMatchObject({ chains: 3, faults: [] })
        expect(await ledger.behindCheckpoint()).toBeNull()
      })

      test('a clock that jumped forward has nothing forgotten that is missed once it is set right', async () => {
        const limits = { keysPerRun: 1 }
        const entry = mintEntry({ jti: 'used', limits })
        const { job } = entry.grant
        const { job: over } = mintEntry().grant
        await ledger.mint(entry)
        const other = await minted(ledger)
        await ledger.endJob(over, T0)
        const jumped = T0 + 400 * 86_400
        expect(await ledger.sweep(jumped)).toBe(2)
        await checkpoint(1)
        await ledger.charge(other, aRequest(), jumped)
        await checkpoint(2)
        expect(await ledger.forgetKeys(jumped - 40 * 86_400, jumped)).toBe(0)

        expect(await ledger.mint(mintEntry({ job }))).toMatchObject({ code: 'already_minted' })
        expect(await ledger.mint(mintEntry({ jti: 'used' }))).toMatchObject({ code: 'token_replayed' })
        expect(await ledger.mint(mintEntry({ job: over }))).toMatchObject({ code: 'job_ended' })
        const another = mintEntry({ job: { ...job, checkRunId: '2' }, limits })
        expect(await ledger.mint(another)).toMatchObject({ code: 'limit_exceeded' })
      })

      test('a living key is not forgotten, however old', async () => {
        const { id } = await minted(ledger, { expiresIn: 604_800 })
        await checkpoint(1)
        await minted(ledger, { at: T0 + 604_000 })
        await checkpoint(2)
        expect(await ledger.forgetKeys(T0 + 604_000, T0 + 604_000)).toBe(0)
        expect(await ledger.findById(id)).not.toBeNull()
      })

      test('a key with events that no checkpoint has is not forgotten', async () => {
        const grant = await minted(ledger)
        await ledger.end(grant, 'revoked_by_job', T0)
        await checkpoint(1)
        await ledger.charge(grant, aRequest(), T0 + 1)
        await minted(ledger)
        await checkpoint(2)
        expect(await ledger.forgetKeys(T0 + 10, T0 + 10)).toBe(0)
      })

      test('new events are told in the order in which they came', async () => {
        const grant = await minted(ledger)
        const [first] = await ledger.newEvents(null, 10)
        expect(JSON.parse(first!.text)).toMatchObject({ type: 'key.minted', chain: grant.id })
        expect(await ledger.newEvents(first!.position, 10)).toEqual([])
        await ledger.charge(grant, aRequest(), T0)
        await ledger.end(grant, 'revoked_by_job', T0)
        const types = (await ledger.newEvents(first!.position, 10)).map(({ text }) => JSON.parse(text).type)
        expect(types).toEqual(['activation', 'key.ended'])
        expect(await ledger.newEvents(null, 1)).toHaveLength(1)
      })
    })

    describe('its state of health', () => {
      test('a check resolves when a write reaches the disk', async () => {
        await ledger.check()
        await ledger.close()
        await expect(ledger.check()).rejects.toMatchObject({ name: 'StorageUnavailable' })
      })
    })
  })
}

export function aRefusal({ token, grant, now }: MintEntry, mayBeSentAgain = false): MintRefusal {
  const fact = { type: 'mint.refused', deny_id: 'd_1', code: 'policy_denied', considered: [] } as const
  return { token, mayBeSentAgain, fact: { ...fact, job: jobRecord(grant.job) }, now }
}

export function finished(requestId: string): Fact<'request.finished'> {
  return {
    type: 'request.finished',
    request_id: requestId,
    provider: 'openai',
    route: 'POST /v1/responses',
    free: false,
    status: 200,
    outcome: 'answered',
    bytes_in: 10,
    bytes_out: 20,
    milliseconds: 30,
    model: null,
    input_tokens: null,
    output_tokens: 4,
  }
}

export function refusedRequest(route = 'GET /v1/files'): Fact<'request.refused'> {
  return { type: 'request.refused', code: 'scope_denied', provider: 'openai', route, model: null, count: 1 }
}

function refusalsIn(events: readonly AuditEvent[]): number {
  return events.reduce((sum, event) => sum + (event.type === 'request.refused' ? event.count : 0), 0)
}
