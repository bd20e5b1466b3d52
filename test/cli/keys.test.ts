import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { delivery, SECRET, workflowJob } from '#test/github/deliver.ts'
import { type SpawnedTill, spawnTill, startTill } from '#test/support/start-till.ts'
import { runTill } from './run-till.ts'

let till: SpawnedTill
beforeAll(async () => {
  till = await spawnTill()
})
afterAll(() => till.close())

/** Beside the running broker, without the environment that holds its credentials. */
const keys = (...args: string[]) => runTill(['keys', ...args], { cwd: dirname(till.file) })

test('keys list shows a key that is alive, as a table and as JSON', async () => {
  const { id } = await till.mint()
  const { status, stdout } = await keys('list')
  expect(status).toBe(0)
  expect(stdout).toMatch(new RegExp(`^${id} +review +acme/web +0/25 +active `, 'm'))
  expect(JSON.parse((await keys('list', '--json')).stdout)).toContainEqual(
    expect.objectContaining({ id, state: 'active', activations: { limit: 25, used: 0, remaining: 25 } }),
  )
})

test('keys revoke ends a key at once, in the running broker too', async () => {
  const { id, key } = await till.mint()
  expect((await keys('revoke', id)).status).toBe(0)

  expect((await keys('list')).stdout).not.toContain(id)
  expect((await keys('list', '--all')).stdout).toMatch(new RegExp(`^${id} .* revoked_by_operator `, 'm'))
  const self = await till.fetch('/v1/keys/self', { headers: { authorization: `Bearer ${key}` } })
  expect(self.status).toBe(401)
})

test('keys list --unclosed shows the keys that their post step did not close, with the reason of each', async () => {
  const broker = await startTill({ settings: { github: { webhook_secret: 'env:SECRET' } }, env: { SECRET } })
  try {
    const list = async (...args: string[]) =>
      (await runTill(['keys', 'list', ...args], { cwd: dirname(broker.file) })).stdout
    expect(await list('--unclosed')).toContain('Every key that has ended was closed')

    const [closed, byOperator, lost] = [await broker.mint(), await broker.mint(), broker.issuer.job()]
    await broker.revoke(closed)
    await runTill(['keys', 'revoke', byOperator.id], { cwd: dirname(broker.file) })
    const alive = await broker.mint()
    const unclosed = await broker.mint({ job: lost })
    await broker.fetch('/v1/webhooks/github', delivery({ payload: workflowJob(lost.claims) }))

    const text = await list('--unclosed')
    expect(text).toMatch(new RegExp(`^${unclosed.id} .* job_completed `, 'm'))
    for (const { id } of [closed, byOperator, alive]) expect(text).not.toContain(id)
    expect(JSON.parse(await list('--unclosed', '--json'))).toEqual([
      expect.objectContaining({ id: unclosed.id, end_reason: 'job_completed', ended_at: expect.any(Number) }),
    ])
    expect(JSON.parse(await list('--json'))).toEqual([expect.objectContaining({ id: alive.id, end_reason: null })])
  } finally {
    await broker.close()
  }
})

test('keys list --json tells instants in whole seconds', async () => {
  await keys('revoke', (await till.mint()).id)
  const rows: Record<string, number>[] = JSON.parse((await keys('list', '--all', '--json')).stdout)
  const ended = rows.find(({ ended_at }) => ended_at !== null)!
  for (const name of ['minted_at', 'expires_at', 'ended_at']) expect(ended[name], name).toBe(Math.floor(ended[name]!))
})

test('keys revoke of a key that has ended is harmless', async () => {
  const { id } = await till.mint()
  await keys('revoke', id)
  const again = await keys('revoke', id)
  expect(again.status).toBe(0)
  expect(again.stdout).toContain('had ended already: revoked_by_operator')
})

test('keys show prints the receipt in words, and as JSON', async () => {
  const { id } = await till.mint()
  await keys('revoke', id)
  const { status, stdout } = await keys('show', id)
  expect(status).toBe(0)
  expect(stdout).toContain('0 of 25 activations used')
  expect(stdout).toMatch(/repository +acme\/web \(101\)/)
  const receipt = JSON.parse((await keys('show', id, '--json')).stdout)
  expect(receipt).toMatchObject({ key_id: id, policy: 'review', end_reason: 'revoked_by_operator' })
})

test('keys show and revoke of a key that there never was: status 1', async () => {
  for (const verb of ['show', 'revoke'])
    expect(await keys(verb, 'k_0000000000000000000000')).toMatchObject({ status: 1, stdout: '' })
})
