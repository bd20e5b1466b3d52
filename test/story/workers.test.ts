import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { type Delivery, delivery, SECRET, workflowJob } from '#test/github/deliver.ts'
import { startPostgres } from '#test/support/postgres.ts'
import { openRaw, type RawConnection } from '#test/support/raw-client.ts'
import { POLICY, type SpawnedTill, spawnTill } from '#test/support/start-till.ts'
import { isAlive, workerAt, workersOf } from '#test/support/worker-sockets.ts'
import type { MintAnswer } from '#wire/mint.ts'

const BUDGET = 50
const policies = [{ ...POLICY, activations: BUDGET, limits: { concurrent_requests: 2000 } }]

let till: SpawnedTill
const open: RawConnection[] = []
afterEach(async () => {
  for (const connection of open.splice(0)) connection.close()
  await till.close()
})

async function start(options: { readonly settings?: object; readonly env?: Record<string, string> } = {}) {
  till = await spawnTill({ policies, ...options, settings: { workers: 2, ...options.settings } })
  await allListen()
}

/** A worker is ready before all are. */
async function allListen(): Promise<void> {
  await expect
    .poll(() => till.log.some(({ event }) => event.startsWith('Till listens on')), { timeout: 10_000 })
    .toBe(true)
}

async function connection(): Promise<RawConnection> {
  const opened = await openRaw(Number(new URL(till.url).port))
  open.push(opened)
  return opened
}

/** One connection to each worker. */
async function oneToEach(): Promise<[RawConnection, RawConnection]> {
  const workers = workersOf(till.pid)
  const [first, second] = workers
  const byWorker = new Map<number, RawConnection>()
  while (byWorker.size < workers.length) {
    const opened = await connection()
    // Only once it was answered is it known to be its worker's.
    await ask(opened, 'GET', '/healthz')
    byWorker.set(workerAt(workers, opened.socket)!, opened)
  }
  return [byWorker.get(first!)!, byWorker.get(second!)!]
}

function head(method: string, path: string, key?: string, body = ''): string {
  const authorization = key === undefined ? '' : `authorization: Bearer ${key}\r\n`
  const type = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${body.length}\r\n`
  return `${method} ${path} HTTP/1.1\r\nhost: till\r\n${authorization}${type}\r\n${body}`
}

async function ask(through: RawConnection, method: string, path: string, key?: string, body?: string) {
  through.write(head(method, path, key, body))
  return through.answer()
}

async function deliver(through: RawConnection, told: Delivery): Promise<number> {
  const { body, headers } = delivery(told)
  const lines = Object.entries({ host: 'till', ...headers, 'content-length': Buffer.byteLength(body) })
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  through.write(`POST /v1/webhooks/github HTTP/1.1\r\n${text}\r\n${body}`)
  return (await through.answer()).status
}

const useOn = async (through: RawConnection, { key }: MintAnswer) =>
  (await ask(through, 'POST', '/proxy/openai/v1/responses', key, '{"model":"gpt-5-mini"}')).status

/** 0: no answer. */
async function use({ key }: MintAnswer): Promise<number> {
  const init = { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } }
  try {
    const answer = await till.fetch('/proxy/openai/v1/responses', { ...init, body: '{"model":"gpt-5-mini"}' })
    await answer.arrayBuffer()
    return answer.status
  } catch {
    return 0
  }
}

async function startStream(through: RawConnection, { key }: MintAnswer, gate: Promise<void>): Promise<void> {
  till.provider.next({ gap: (event) => (event === 0 ? Promise.resolve() : gate) })
  through.write(head('POST', '/proxy/openai/v1/responses', key, '{"model":"gpt-5-mini","stream":true}'))
  await through.until('data:')
}

const never = new Promise<void>(() => {})

async function exactlyTheBudget(): Promise<void> {
  const minted = await till.mint()
  const connections = await Promise.all(Array.from({ length: 50 }, connection))
  const statuses = await Promise.all(
    connections.map(async (through) => {
      const answers: number[] = []
      for (let n = 0; n < 10; n++) answers.push(await useOn(through, minted))
      return answers
    }),
  )
  expect(statuses.flat().filter((status) => status === 200)).toHaveLength(BUDGET)
  expect(statuses.flat().filter((status) => status === 410)).toHaveLength(500 - BUDGET)
  expect(till.provider.received).toHaveLength(BUDGET)
  expect((await till.receipt(minted)).receipt.activations).toMatchObject({ limit: BUDGET, used: BUDGET })
  const workers = workersOf(till.pid)
  const served = new Set(connections.map(({ socket }) => workerAt(workers, socket)))
  expect([...served].sort()).toEqual([...workers].sort())
}

describe('two workers on SQLite', () => {
  test('of 500 uses of a budget of 50 on 50 connections exactly 50 reach the provider, and both workers serve', async () => {
    await start()
    expect(workersOf(till.pid)).toHaveLength(2)
    await exactlyTheBudget()
    expect(till.log.filter(({ event }) => event.startsWith('Till listens on'))).toHaveLength(1)
  })

  test('a key that is revoked in one worker is dead in the other, and its open stream there is cut within a second', async () => {
    await start()
    const minted = await till.mint()
    const [first, second] = await oneToEach()
    await startStream(first, minted, never)
    const revoked = await ask(second, 'DELETE', `/v1/keys/${minted.id}`, minted.key)
    expect(revoked.status).toBe(200)
    expect(await Promise.race([first.closed.then(() => 'cut'), sleep(1000, 'open')])).toBe('cut')
    expect(await useOn(second, minted)).toBe(410)
  })

  test('a worker that is killed is replaced; what it spent stays spent, and the budget holds', async () => {
    await start()
    const minted = await till.mint()
    const [killed, left] = workersOf(till.pid)
    const load = Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        await sleep(n)
        return use(minted)
      }),
    )
    await till.provider.arrived(5)
    process.kill(killed!, 'SIGKILL')
    const statuses = await load
    await expect.poll(() => workersOf(till.pid).length, { timeout: 10_000 }).toBe(2)
    const now = workersOf(till.pid)
    expect(now).toContain(left)
    expect(now).not.toContain(killed)
    while ((await use(minted)) !== 410);
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(BUDGET)
    expect(till.provider.received.length).toBeLessThanOrEqual(BUDGET)
    expect((await till.receipt(minted)).receipt.activations).toMatchObject({ used: BUDGET, given_back: 0 })
    await oneToEach()
    expect(till.log.some(({ event }) => event.includes('"worker.ended"'))).toBe(true)
  })

  test('when the primary is killed its workers end at once, and a new start counts on', async () => {
    await start()
    const minted = await till.mint()
    expect(await use(minted)).toBe(200)
    const workers = workersOf(till.pid)
    await till.kill('SIGKILL')
    await expect.poll(() => workers.some(isAlive), { timeout: 1000, interval: 20 }).toBe(false)
    expect(await use(minted)).toBe(0)
    await till.start()
    expect(await use(minted)).toBe(200)
    expect((await till.receipt(minted)).receipt.activations.used).toBe(2)
  })

  test('SIGTERM, to all processes as a supervisor sends it: streams finish, nothing else is begun, status 0', async () => {
    await start()
    const minted = await till.mint()
    const [first, second] = await oneToEach()
    const gate = Promise.withResolvers<void>()
    await startStream(first, minted, gate.promise)
    const workers = workersOf(till.pid)
    for (const worker of workers) process.kill(worker, 'SIGTERM')
    await sleep(50)
    expect((await ask(second, 'GET', '/readyz')).status).toBe(200)

    const exited = till.kill('SIGTERM')
    await expect.poll(async () => (await till.fetch('/readyz').catch(() => null))?.status).toBe(503)
    expect(await use(minted)).not.toBe(200)
    gate.resolve()
    expect(await first.until('response.completed')).toContain('response.completed')
    expect(await exited).toBe(0)
    expect(workers.some(isAlive)).toBe(false)
    expect(till.provider.received).toHaveLength(1)
    await till.start()
    expect((await till.receipt(minted)).receipt.activations.used).toBe(1)
  })

  test('SIGHUP: every worker goes by the new file, and a worker that starts later by what is in force', async () => {
    await start()
    const source = readFileSync(till.file, 'utf8')
    writeFileSync(till.file, source.replace(`activations: ${BUDGET}`, 'activations: 7'))
    process.kill(till.pid, 'SIGHUP')
    await expect.poll(() => till.log.some(({ event }) => event.includes('"config.reloaded"'))).toBe(true)
    writeFileSync(till.file, 'nothing: good')
    const before = workersOf(till.pid)
    process.kill(before[0]!, 'SIGKILL')
    await expect.poll(() => workersOf(till.pid).filter((pid) => pid !== before[0]).length, { timeout: 10_000 }).toBe(2)
    for (const through of await oneToEach()) {
      const token = await till.issuer.job().token({ aud: till.url })
      const minted = await ask(through, 'POST', '/v1/keys', token, '{"providers":["openai"]}')
      expect(minted.json()).toMatchObject({ activations: 7 })
    }
  })

  test('a delivery to either worker ends the key of its job, in both, and a forged one nothing', async () => {
    await start({ settings: { github: { webhook_secret: 'env:SECRET' } }, env: { SECRET } })
    const connections = await oneToEach()
    for (const through of connections) {
      const job = till.issuer.job()
      const minted = await till.mint({ job })
      expect(await deliver(through, { payload: workflowJob(job.claims), secret: 'forged' })).toBe(401)
      expect(await useOn(through, minted)).toBe(200)
      expect(await deliver(through, { payload: workflowJob(job.claims) })).toBe(202)
      for (const other of connections) expect(await useOn(other, minted)).toBe(410)
      expect((await till.receipt(minted)).receipt.end_reason).toBe('job_completed')
    }
  })

  test('workers are as private as the primary: no SIGUSR1, umask 077, nothing in their arguments', async () => {
    await start()
    for (const worker of workersOf(till.pid)) {
      const [, ...args] = readFileSync(`/proc/${worker}/cmdline`, 'latin1').split('\0')
      expect(args).toEqual(['--disable-sigusr1', expect.stringMatching(/worker-process\.ts$/), ''])
      expect(readFileSync(`/proc/${worker}/status`, 'latin1')).toContain('Umask:\t0077')
    }
  })

  test.each([
    ['once it was silent for 15 s', () => {}],
    ['once a reload waits for it', () => process.kill(till.pid, 'SIGHUP')],
  ])('a worker that hangs is replaced: %s', { timeout: 60_000 }, async (_, then) => {
    await start()
    const [first] = workersOf(till.pid)
    process.kill(first!, 'SIGSTOP')
    then()
    const others = () => workersOf(till.pid).filter((pid) => pid !== first && isAlive(pid))
    await expect.poll(() => others().length, { timeout: 30_000 }).toBe(2)
    for (const through of await oneToEach()) expect((await ask(through, 'GET', '/healthz')).status).toBe(200)
  })

  test('workers that cannot listen end the start, with the sentence for the operator', async () => {
    await start()
    const starting = spawnTill({ settings: { workers: 2, listen: till.url.slice('http://'.length) } })
    await expect(starting).rejects.toThrow(/Cannot listen there: EADDRINUSE/)
  })
})

test('two workers on PostgreSQL: of 500 uses of a budget of 50 exactly 50 reach the provider, and both workers serve', async () => {
  const postgres = await startPostgres()
  try {
    await start({
      settings: { storage: await postgres.createDatabase(), master_key: 'env:TILL_MASTER_KEY' },
      env: { TILL_MASTER_KEY: randomBytes(32).toString('base64') },
    })
    await exactlyTheBudget()
  } finally {
    await till.kill()
    await postgres.stop()
  }
})
