import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeKey } from '#broker/describe-key.ts'
import { type MintedKey, mint } from '#broker/mint.ts'
import { readReceipt, type SignedReceipt } from '#broker/read-receipt.ts'
import { revoke } from '#broker/revoke.ts'
import { formatKey, formatKeyId } from '#domain/key.ts'
import { caller, idToken, policy, startWorld, type World } from './world.ts'

let world: World
let minted: MintedKey
beforeEach(async () => {
  world = await startWorld()
  world.policies = [policy({ idleAfterSeconds: 600 })]
  minted = (await mint(world, caller(), { providers: ['openai'] }, null)) as MintedKey
})
afterEach(() => world.close())

const byKey = (key = minted.key) => ({ kind: 'key', key }) as const
const byToken = (token = idToken()) => ({ kind: 'token', idToken: token }) as const

async function outcome(pending: Promise<object>): Promise<unknown> {
  const found = (await pending) as { code?: string; receipt?: { end_reason: string | null } }
  return found.code ?? found.receipt?.end_reason
}

const use = (requestId: string) =>
  world.ledger.charge(
    minted.grant,
    { requestId, provider: 'openai', route: 'POST /v1/responses', model: 'gpt-5-mini' },
    world.now,
  )

test('the key itself revokes a key', async () => {
  expect(await outcome(revoke(world, minted.grant.id, byKey()))).toBe('revoked_by_job')
  expect(await use('r_1')).toMatchObject({ kind: 'refused', code: 'key_revoked' })
})

test('an ID token of the same job revokes a key, and may do so again', async () => {
  const proof = byToken()
  expect(await outcome(revoke(world, minted.grant.id, proof))).toBe('revoked_by_job')
  expect(await outcome(revoke(world, minted.grant.id, proof))).toBe('revoked_by_job')
})

test('an ID token that has minted still revokes: only the mint consumes it', async () => {
  const token = idToken({ check_run_id: '90002' })
  const { jti } = JSON.parse(token) as { jti: string }
  const job = caller({ check_run_id: '90002' })
  const second = (await mint(
    world,
    { ...job, token: { ...job.token, jti } },
    { providers: ['openai'] },
    null,
  )) as MintedKey
  expect(await outcome(revoke(world, second.grant.id, byToken(token)))).toBe('revoked_by_job')
})

test('revoking does not consume an ID token', async () => {
  const job = caller({ check_run_id: '90002' })
  const token = JSON.stringify({ ...JSON.parse(idToken({ check_run_id: '90002' })), jti: job.token.jti })
  expect(await outcome(revoke(world, minted.grant.id, byToken(token)))).toBe('not_found')
  expect((await mint(world, job, { providers: ['openai'] }, null)).kind).toBe('minted')
})

test('revoking a key that has ended in another way changes nothing', async () => {
  world.now += 601
  expect(await outcome(revoke(world, minted.grant.id, byKey()))).toBe('idle')
  expect(await outcome(revoke(world, minted.grant.id, byToken()))).toBe('idle')
})

test('revoking twice writes one ending', async () => {
  await revoke(world, minted.grant.id, byKey())
  const { receipt } = (await revoke(world, minted.grant.id, byKey())) as SignedReceipt
  expect(receipt.audit.events).toBe(2)
})

test('a spent key that is revoked has ended as exhausted', async () => {
  const grant = (await mint(
    world,
    caller({ check_run_id: '7' }),
    { providers: ['openai'], activations: 1 },
    null,
  )) as MintedKey
  const request = { requestId: 'r_1', provider: 'openai', route: 'POST /v1/responses', model: null }
  await world.ledger.charge(grant.grant, request, world.now)
  await world.ledger.record(
    grant.grant,
    {
      type: 'request.finished',
      request_id: 'r_1',
      provider: 'openai',
      route: 'POST /v1/responses',
      free: false,
      status: 200,
      outcome: 'answered',
      bytes_in: 1,
      bytes_out: 1,
      milliseconds: 1,
      model: null,
      input_tokens: null,
      output_tokens: null,
    },
    world.now,
  )
  expect(await outcome(revoke(world, grant.grant.id, byKey(grant.key)))).toBe('exhausted')
})

test.each([
  ['an id that never was', () => formatKeyId(world.random(16))],
  ['no id at all', () => "k_' OR 1=1 --"],
])('not_found for %s', async (_, id) => {
  expect(await outcome(revoke(world, id(), byKey()))).toBe('not_found')
  expect(await outcome(revoke(world, id(), byToken()))).toBe('not_found')
  expect(await outcome(readReceipt(world, id(), byKey()))).toBe('not_found')
})

test("not_found, in the same words, for somebody else's key", async () => {
  const other = (await mint(world, caller({ check_run_id: '5' }), { providers: ['openai'] }, null)) as MintedKey
  const unknown = await revoke(world, formatKeyId(world.random(16)), byKey())
  expect(await revoke(world, other.grant.id, byKey())).toEqual(unknown)
  expect(await revoke(world, other.grant.id, byToken())).toEqual(unknown)
  expect(await revoke(world, other.grant.id, byToken(idToken({ repository_id: '102', check_run_id: '5' })))).toEqual(
    unknown,
  )
  expect((await world.ledger.state(other.grant, world.now)).ended).toBeNull()
})

test('key_invalid, in the same words, for what is no key, has a typing error, or was never minted', async () => {
  const { key, grant } = minted
  const typo = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')
  const answers = await Promise.all(
    ['', 'sk-openai', typo, formatKey(world.random(32))].map((text) => revoke(world, grant.id, byKey(text))),
  )
  expect(answers[0]).toMatchObject({ code: 'key_invalid' })
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
})

test('a living key is described without being spent', async () => {
  await use('r_1')
  const described = await describeKey(world, minted.key)
  expect(described).toMatchObject({ kind: 'living', state: { used: 1 } })
  expect(await describeKey(world, minted.key)).toMatchObject({ state: { used: 1 } })
})

test('a key whose budget is spent is alive: that is a state of the counter', async () => {
  const { key, grant } = (await mint(
    world,
    caller({ check_run_id: '7' }),
    { providers: ['openai'], activations: 1 },
    null,
  )) as MintedKey
  await world.ledger.charge(grant, { requestId: 'r_1', provider: 'openai', route: 'x', model: null }, world.now)
  expect(await describeKey(world, key)).toMatchObject({ kind: 'living', state: { used: 1 } })
})

test.each([
  ['revoked', () => revoke(world, minted.grant.id, byKey())],
  ['expired', () => (world.now += 3600)],
])('a key that is %s is described like one that never was', async (_, end) => {
  await end()
  expect(await describeKey(world, minted.key)).toEqual(await describeKey(world, formatKey(world.random(32))))
})

test('a receipt adds up what is on record, and its signature verifies with the published key', async () => {
  await use('r_1')
  await use('r_2')
  const { receipt, jws } = (await readReceipt(world, minted.grant.id, byKey())) as SignedReceipt
  expect(receipt).toMatchObject({
    key_id: minted.grant.id,
    policy: 'review',
    job: { repository: 'acme/web', check_run_id: '90001' },
    activations: { limit: 25, used: 2, given_back: 0, refused: {} },
    end_reason: null,
    models: { 'gpt-5-mini': 2 },
    audit: { events: 3 },
  })
  const keys = createLocalJWKSet(world.signer.publicKeys() as unknown as JSONWebKeySet)
  const { payload } = await compactVerify(jws, keys, { algorithms: ['EdDSA'] })
  expect(JSON.parse(new TextDecoder().decode(payload))).toEqual(receipt)
})

test('the receipt of a key shows an ending that no sweep has seen yet', async () => {
  world.now += 3600
  expect(await outcome(readReceipt(world, minted.grant.id, byToken()))).toBe('idle')
})
