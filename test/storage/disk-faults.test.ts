import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, minted, T0 } from '#test/contract/mint-entry.ts'
import { verifiedEvents } from '#test/contract/verify-chain.ts'
import { POLICY, spawnTill } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'
import { straceWorks } from './recorded-writes.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'till-disk-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** The kernel answers one call with an error, once: who tries again would have success. */
describe.skipIf(!straceWorks)('one call to the disk fails (needs strace)', () => {
  const CHARGES = 12

  test.each([
    ...[1, 2, 5].map((nth) => ['fsync,fdatasync', 'EIO', nth] as const),
    ...[1, 9, 20].map((nth) => ['pwrite64', 'EIO', nth] as const),
  ])(
    '%s: %s at call %i: from then on nothing is acknowledged, never retried, all before is there',
    async (call, error, nth) => {
      const { outcomes, acknowledged, grantId, path } = await run(call, error, nth)
      const failed = outcomes.indexOf('StorageUnavailable')
      expect(failed).toBeGreaterThanOrEqual(0)
      expect(outcomes.slice(0, failed).every((outcome) => outcome === 'acknowledged')).toBe(true)
      expect(outcomes.slice(failed).every((outcome) => outcome === 'StorageUnavailable')).toBe(true)
      await reopened(path, grantId, acknowledged)
    },
  )

  test.each([4, 20])('pwrite64: ENOSPC at call %i: one transaction is refused, later ones pass', async (nth) => {
    const { outcomes, acknowledged, grantId, path } = await run('pwrite64', 'ENOSPC', nth)
    expect(outcomes.filter((outcome) => outcome === 'StorageUnavailable').length).toBeLessThanOrEqual(1)
    expect(outcomes.filter((outcome) => outcome === 'acknowledged').length).toBeGreaterThanOrEqual(CHARGES - 1)
    await reopened(path, grantId, acknowledged)
  })

  async function run(call: string, error: string, nth: number) {
    const path = join(folder, 'till.db')
    const ledger = await openSqliteLedger({ path })
    const grant = await minted(ledger, { limit: 1000 })
    await ledger.close()
    const log = join(folder, 'acknowledged')
    writeFileSync(log, '')
    const script = join(import.meta.dirname, 'faulty-disk-process.ts')
    const inject = `inject=${call}:error=${error}:when=${nth}`
    // Of all calls only those to the log, which is what a commit writes and flushes.
    const only = ['-P', `${path}-wal`, '-e', `trace=${call}`]
    const args = ['-f', '-qq', '-o', '/dev/null', ...only, '-e', inject, process.execPath, script]
    const child = spawnSync('strace', [...args, path, grant.id, String(CHARGES), log], { encoding: 'utf8' })
    expect(child.stderr).toBe('')
    const acknowledged = readFileSync(log, 'utf8').split('\n').filter(Boolean)
    return { outcomes: JSON.parse(child.stdout) as string[], acknowledged, grantId: grant.id, path }
  }
})

async function reopened(path: string, grantId: string, acknowledged: readonly string[]): Promise<void> {
  const ledger = await openSqliteLedger({ path })
  const grant = (await ledger.findById(grantId))!
  const events = await verifiedEvents(ledger, grantId)
  const charged = events.flatMap((event) => (event.type === 'activation' ? [event.request_id] : []))
  expect(acknowledged.filter((id) => !charged.includes(id))).toEqual([])
  expect((await ledger.state(grant, T0)).used).toBe(charged.length)
  expect(await ledger.charge(grant, aRequest(), T0)).toMatchObject({ kind: 'activation' })
  await ledger.close()
}

// In a mount namespace of its own: root of a container often may not.
const mayMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0

describe.skipIf(!mayMount)('a broker on a disk that is full (needs the right to mount)', () => {
  test('refuses uses with 503 and mints with 503, sends nothing to the provider, and goes on when there is room', async () => {
    const disk = join(folder, 'disk')
    mkdirSync(disk, { mode: 0o700 })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=700', 'tmpfs', disk])
    const settings = { storage: `sqlite:${join(disk, 'till.db')}` }
    const till = await spawnTill({ settings, policies: [{ ...POLICY, activations: 100_000 }] })
    try {
      const key = await till.mint()
      expect(await use(till, key)).toBe(200)
      fill(join(disk, 'ballast'))
      // What is left of the last page takes a few more.
      let answered = 1
      let status = await use(till, key)
      for (; status === 200; status = await use(till, key)) answered++
      expect(status).toBe(503)
      const before = till.provider.received.length
      for (let n = 0; n < 5; n++) expect(await use(till, key)).toBe(503)
      expect(till.provider.received).toHaveLength(before)
      await expect(till.mint()).rejects.toMatchObject({ status: 503, problem: { code: 'storage_unavailable' } })
      // A check answers for a second.
      await expect.poll(async () => (await till.fetch('/readyz')).status, { timeout: 5000 }).toBe(503)

      rmSync(join(disk, 'ballast'))
      expect(await use(till, key)).toBe(200)
      expect(till.provider.received).toHaveLength(answered + 1)
      expect((await till.receipt(key)).receipt.activations.used).toBe(answered + 1)
    } finally {
      await till.close()
      execFileSync('umount', [disk])
    }
  }, 60_000)
})

type Broker = Awaited<ReturnType<typeof spawnTill>>

async function use(till: Broker, { key }: MintAnswer): Promise<number> {
  const answer = await till.fetch('/proxy/openai/v1/responses', {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: '{"model":"gpt-5-mini"}',
  })
  await answer.arrayBuffer()
  return answer.status
}

function fill(file: string): void {
  for (const size of [1024 * 1024, 4096])
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size), { flag: 'a' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
}
