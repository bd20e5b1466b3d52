import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Ledger } from '#broker/ports.ts'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { aRefusal, finished, refusedRequest } from '#test/contract/ledger-contract.ts'
import { aRequest, mintEntry, minted, T0 } from '#test/contract/mint-entry.ts'
import { verifiedEvents } from '#test/contract/verify-chain.ts'
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts'
import { asServingRole, SERVING_ROLE, servingGrants } from '#test/support/serving-role.ts'

const DAY = 86_400

let postgres: TestPostgres
let url: string
let ledger: Ledger

beforeAll(async () => {
  postgres = await startPostgres()
  await postgres.query(await postgres.createDatabase(), `CREATE ROLE ${SERVING_ROLE} LOGIN`)
})
afterAll(() => postgres.stop())
beforeEach(async () => {
  url = await postgres.createDatabase()
  await (await openPostgresLedger({ url })).close()
  await postgres.query(url, `REVOKE CREATE ON SCHEMA public FROM PUBLIC; ${servingGrants().always}`)
  ledger = await openPostgresLedger({ url: asServingRole(url) })
})
afterEach(() => ledger.close())

async function checkpoint(seq: number): Promise<void> {
  const { position, heads } = await ledger.sinceCheckpoint()
  expect(await ledger.writeCheckpoint({ seq, jws: `signed.${seq}`, position, heads })).toBe(true)
}

/** A key that may be forgotten, since a checkpoint that is not the last one vouches for its end. */
async function anOldKey(): Promise<void> {
  await ledger.end(await minted(ledger), 'revoked_by_job', T0)
  await checkpoint(1)
  await minted(ledger)
  await checkpoint(2)
}

test('the role of docs/storage.md is enough for all that a broker does but forgetting keys', async () => {
  const entry = mintEntry({ idempotencyKey: 'i', idleAfter: 600 })
  const { grant, keyDigest } = entry
  const { job } = grant
  expect(await ledger.mint(mintEntry({ job, idempotencyKey: 'i' }))).toMatchObject({ kind: 'minted' })
  expect(await ledger.mint(entry)).toMatchObject({ kind: 'minted', replaced: expect.any(String) })
  expect(await ledger.mint(mintEntry({ job }))).toMatchObject({ kind: 'refused', code: 'already_minted' })
  expect(await ledger.refuseMint(aRefusal(mintEntry()))).toBe('recorded')

  expect((await ledger.find(keyDigest))?.id).toBe(grant.id)
  expect((await ledger.findById(grant.id))?.id).toBe(grant.id)
  expect(await ledger.admitFree(grant, T0)).toBeNull()
  expect(await ledger.charge(grant, aRequest('finished'), T0)).toMatchObject({ kind: 'activation' })
  expect(await ledger.charge(grant, aRequest('given back'), T0)).toMatchObject({ kind: 'activation' })
  await ledger.record(grant, finished('finished'), T0)
  await ledger.record(grant, refusedRequest(), T0)
  await ledger.giveBack(grant, 'given back', 'connect', T0)
  await ledger.touch([grant.id], T0 + 1)
  expect(await ledger.state(grant, T0 + 1)).toMatchObject({ used: 1, givenBack: 1 })

  await ledger.end(await minted(ledger), 'revoked_by_operator', T0 + 1, 'ada')
  expect(await ledger.endJob(job, T0 + 1)).toEqual([grant.id])
  const [, idle] = [await minted(ledger, { expiresIn: 10 }), await minted(ledger, { idleAfter: 60 })]
  await ledger.touch([idle.id], T0 + 30)
  expect(await ledger.sweep(T0 + 60)).toBe(1)
  expect(await ledger.sweep(T0 + 90)).toBe(1)
  await minted(ledger, { at: T0 + 200 * DAY })
  expect(await ledger.sweep(T0 + 200 * DAY)).toBe(0)
  const ofTheLast = { used_tokens: 1, mint_minutes: 1, allowances: 2, ended_jobs: 0 }
  for (const [table, rows] of Object.entries(ofTheLast))
    expect(await postgres.query(url, `SELECT FROM ${table}`), table).toHaveLength(rows)

  await checkpoint(1)
  expect(await ledger.checkpoints(0, 10)).toHaveLength(1)
  expect(await ledger.behindCheckpoint()).toBeNull()
  expect(await verifiedEvents(ledger, grant.id)).toHaveLength(7)
  expect(await ledger.newEvents(null, 100)).not.toEqual([])
  expect(await ledger.list({ now: T0 })).toHaveLength(6)
  const { issuer, repositoryId } = job
  expect(await ledger.ofRefs({ issuer, repositoryId, refs: ['refs/heads/main'], most: 10 })).toHaveLength(1)
  const trail = await ledger.openTrail()
  for await (const { kind } of trail.records()) expect(['chain', 'event', 'end']).toContain(kind)
  for await (const { seq } of trail.checkpoints()) expect(seq).toBe(1)
  await trail.close()

  await ledger.createRecord('signing_key', Buffer.from('one'))
  await ledger.writeRecord('signing_key', Buffer.from('two'))
  expect(await ledger.readRecord('signing_key')).toEqual(new Uint8Array(Buffer.from('two')))
  await ledger.check()
})

test('that role can forget keys once it is given what retention needs', async () => {
  await anOldKey()
  const forgotten = () => ledger.forgetKeys(T0 + 1, T0 + 100)
  await expect(forgotten()).rejects.toMatchObject({ name: 'StorageUnavailable', cause: { code: '42501' } })
  await postgres.query(url, servingGrants().withRetention)
  expect(await forgotten()).toBe(1)
})

test.each([
  "UPDATE events SET text = 'changed'",
  'DELETE FROM events',
  'TRUNCATE events',
  "UPDATE grants SET terms = '{}'",
  'DELETE FROM grants',
  "UPDATE checkpoints SET jws = 'changed'",
  'DELETE FROM checkpoint_heads',
  'CREATE TABLE more ()',
  'DROP TABLE events',
])('that role cannot: %s', async (sql) => {
  await expect(postgres.query(asServingRole(url), sql)).rejects.toMatchObject({ code: '42501' })
})
