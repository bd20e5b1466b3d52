import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, minted, T0 } from '#test/contract/mint-entry.ts'
import { verifiedEvents } from '#test/contract/verify-chain.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'till-ledger-'))
  path = join(folder, 'till.db')
})
afterEach(() => rm(folder, { recursive: true }))

test('after kill -9 every acknowledged activation is there, none twice, and the budget holds', async () => {
  const LIMIT = 2000
  const KILLS = 4
  let ledger = await openSqliteLedger({ path })
  const grant = await minted(ledger, { limit: LIMIT })
  await ledger.close()

  const acknowledged: string[] = []
  for (let kill = 0; kill <= KILLS; kill++) {
    // The last process is left alone until the budget is spent.
    acknowledged.push(...(await chargeUntil(grant.id, kill === KILLS ? Number.POSITIVE_INFINITY : 40 + 97 * kill)))
    ledger = await openSqliteLedger({ path })
    const requests = (await verifiedEvents(ledger, grant.id)).flatMap((event) =>
      event.type === 'activation' ? [event.request_id] : [],
    )
    expect(new Set(requests).size).toBe(requests.length)
    expect(acknowledged.filter((id) => !requests.includes(id))).toEqual([])
    expect((await ledger.state(grant, T0 + 1)).used).toBe(requests.length)
    await ledger.close()
  }
  expect(acknowledged.length).toBeGreaterThan(0)
  expect(acknowledged.length).toBeLessThanOrEqual(LIMIT)
})

test('a key that another process revokes is refused from then on, and listeners hear of it', async () => {
  const ledger = await openSqliteLedger({ path })
  const grant = await minted(ledger, { limit: 1_000_000 })
  const heard: string[] = []
  ledger.onEnding((id, ending) => heard.push(`${id} ${ending.reason}`))
  let isRevoked = false
  let afterRevocation = 0

  const clients = Array.from({ length: 16 }, async () => {
    for (;;) {
      const startedAfter = isRevoked
      const { kind } = await ledger.charge(grant, aRequest(), T0 + 1)
      if (kind === 'refused') return
      if (startedAfter) afterRevocation++
    }
  })
  const revoking = spawn(process.execPath, [join(import.meta.dirname, 'revoking-process.ts'), path, grant.id], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  expect(await once(revoking, 'exit')).toEqual([0, null])
  isRevoked = true
  await Promise.all(clients)

  expect(afterRevocation).toBe(0)
  await expect.poll(() => heard, { timeout: 5000 }).toEqual([`${grant.id} revoked_by_operator`])
  const events = await verifiedEvents(ledger, grant.id)
  expect(events.findLastIndex(({ type }) => type === 'activation')).toBeLessThan(
    events.findIndex(({ type }) => type === 'key.ended'),
  )
  expect((await ledger.state(grant, T0 + 1)).used).toBe(events.filter(({ type }) => type === 'activation').length)
  await ledger.close()
})

/** Runs a charging process and kills it once it has told of that many activations; returns all that it told of. */
async function chargeUntil(grantId: string, count: number): Promise<string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'charging-process.ts'), path, grantId], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const told: string[] = []
  for await (const line of createInterface(child.stdout)) {
    told.push(line)
    if (told.length === count) child.kill('SIGKILL')
  }
  expect(await exited).toEqual(count === Number.POSITIVE_INFINITY ? [0, null] : [null, 'SIGKILL'])
  return told
}
