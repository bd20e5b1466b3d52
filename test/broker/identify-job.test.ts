import { afterAll, beforeAll, expect, test } from 'vitest'
import { identifyJob, TOKEN_INVALID } from '#broker/identify-job.ts'
import type { Ports } from '#broker/ports.ts'
import { refusal } from '#domain/refusal.ts'
import { idToken, startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test('a verified token names its job', async () => {
  expect(await identifyJob(world, idToken())).toMatchObject({
    kind: 'job',
    job: { repositoryId: '101', checkRunId: '90001' },
    token: { issuer: 'https://issuer.test', repositoryId: '101', expiresAt: 1_795_187_100 },
  })
})

test.each(['repository_id', 'repository_owner_id', 'run_id', 'run_attempt', 'check_run_id'])(
  'a token without %s is token_invalid',
  async (claim) => {
    expect(await identifyJob(world, idToken({ [claim]: undefined }))).toBe(TOKEN_INVALID)
  },
)

test('a token without check_run_id names the run attempt where the issuer may leave it out', async () => {
  const caller = await identifyJob(world, idToken({ check_run_id: undefined }, 'optional'))
  expect(caller).toMatchObject({ kind: 'job', job: { checkRunId: null, runId: '7001', runAttempt: '1' } })
})

test('token_invalid has one text for all reasons, whatever the verifier says', async () => {
  expect(await identifyJob(world, 'not.a.token')).toBe(TOKEN_INVALID)
  expect(await identifyJob(world, idToken({ run_id: 7001 }))).toBe(TOKEN_INVALID)
})

test('unknown keys of an issuer are not taken for an invalid token', async () => {
  const unavailable = refusal('issuer_keys_unavailable', 'The keys are not known.')
  const verifier: Ports['verifier'] = { verify: async () => unavailable }
  expect(await identifyJob({ verifier }, 'any.id.token')).toBe(unavailable)
})
