import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Ledger } from '#broker/ports.ts'
import type { Grant } from '#domain/grant.ts'
import { openPostgresLedger } from '#storage/postgres-ledger.ts'
import { aRequest, minted, T0 } from '#test/contract/mint-entry.ts'
import { verifiedEvents } from '#test/contract/verify-chain.ts'
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts'
import { startTcpRelay, type TcpRelay } from '#test/support/tcp-relay.ts'

/** The promise of issue 3: how soon after the server is back charges are admitted again. Milliseconds. */
const BACK_WITHIN = 10_000
const unavailable = { name: 'StorageUnavailable' }

let postgres: TestPostgres
let relay: TcpRelay
let url: string
let ledger: Ledger

beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.stop())
beforeEach(async () => {
  relay = await startTcpRelay(postgres.port)
  url = await postgres.createDatabase()
  ledger = await openPostgresLedger({ url: url.replace(String(postgres.port), String(relay.port)) })
})
afterEach(async () => {
  await ledger.close()
  await relay.close()
})

/** Clients that charge a key one after the other, refused or not, until they are told to stop. */
function load(grant: Grant, clients = 8) {
  const admitted: string[] = []
  const refusals = new Set<string>()
  let unavailableCount = 0
  let lastAdmittedAt = 0
  let isStopping = false
  const running = Promise.all(
    Array.from({ length: clients }, async () => {
      while (!isStopping) {
        const request = aRequest()
        try {
          const { kind } = await ledger.charge(grant, request, T0)
          if (kind === 'refused') return
          admitted.push(request.requestId)
          lastAdmittedAt = performance.now()
        } catch (error) {
          refusals.add((error as Error).name)
          unavailableCount++
          await sleep(5)
        }
      }
    }),
  )
  return {
    admitted,
    refusals,
    unavailable: () => unavailableCount,
    admittedSince: (instant: number) => lastAdmittedAt > instant,
    async stop() {
      isStopping = true
      await running
    },
  }
}

async function serviceIsBack(): Promise<void> {
  const check = () =>
    ledger.check().then(
      () => 'back',
      (error: Error) => error.name,
    )
  await expect.poll(check, { timeout: BACK_WITHIN }).toBe('back')
}

/** Everything that was acknowledged is there, once; what is there beyond it is spent. */
async function expectExact(grant: Grant, admitted: readonly string[]): Promise<void> {
  const fresh = await openPostgresLedger({ url })
  const events = await verifiedEvents(fresh, grant.id)
  const charged = events.flatMap((event) => (event.type === 'activation' ? [event.request_id] : []))
  expect(new Set(charged).size).toBe(charged.length)
  expect(admitted.filter((id) => !charged.includes(id))).toEqual([])
  expect((await fresh.state(grant, T0)).used).toBe(charged.length)
  expect(charged.length).toBeLessThanOrEqual(grant.limit)
  await fresh.close()
}

const faults: readonly (readonly [string, () => Promise<void>])[] = [
  ['crashes and starts again', () => postgres.restart('immediate')],
  ['is restarted', () => postgres.restart('fast')],
  [
    'is down for 3 s',
    async () => {
      await postgres.shutDown('fast')
      await sleep(3000)
      await postgres.start()
    },
  ],
  [
    'stands still for 10 s',
    async () => {
      postgres.pause()
      await sleep(10_000)
      postgres.resume()
    },
  ],
  [
    'is cut off for 2 s',
    async () => {
      relay.cut()
      await sleep(2000)
      relay.restore()
    },
  ],
  [
    'is behind a network that loses everything for 8 s',
    async () => {
      relay.swallow()
      await sleep(8000)
      relay.restore()
    },
  ],
  [
    'answers into a network that loses every answer for 8 s',
    async () => {
      relay.swallowAnswers()
      await sleep(8000)
      relay.restore()
    },
  ],
]

test.each(faults)(
  'a server that %s under load: nothing is overspent or lost, and service comes back',
  async (_, fault) => {
    const grant = await minted(ledger, { limit: 1_000_000 })
    const clients = load(grant)
    await sleep(300)
    await fault()
    const back = performance.now()
    await expect.poll(() => clients.admittedSince(back), { timeout: BACK_WITHIN, interval: 20 }).toBe(true)
    await sleep(200)
    await clients.stop()
    expect(clients.unavailable()).toBeGreaterThan(0)
    expect([...clients.refusals]).toEqual(['StorageUnavailable'])
    await ledger.check()
    await expectExact(grant, clients.admitted)
  },
  60_000,
)

test('a budget is not exceeded by charges whose outcome nobody learned', async () => {
  const grant = await minted(ledger, { limit: 40 })
  await ledger.charge(grant, aRequest(), T0)
  relay.swallowAnswers()
  const lost = await Promise.allSettled(Array.from({ length: 15 }, () => ledger.charge(grant, aRequest(), T0)))
  expect(lost.every(({ status }) => status === 'rejected')).toBe(true)
  relay.restore()
  await serviceIsBack()
  // They reached the server, so they are spent.
  expect((await ledger.state(grant, T0)).used).toBe(16)
  const answers = await Promise.all(Array.from({ length: 60 }, () => ledger.charge(grant, aRequest(), T0)))
  expect(answers.filter(({ kind }) => kind === 'activation')).toHaveLength(24)
  await expectExact(grant, [])
}, 60_000)

test('what was given back without an answer is not given back again', async () => {
  const grant = await minted(ledger)
  await ledger.charge(grant, aRequest('r'), T0)
  relay.swallowAnswers()
  await expect(ledger.giveBack(grant, 'r', 'connect', T0)).rejects.toMatchObject(unavailable)
  relay.restore()
  await serviceIsBack()
  await ledger.giveBack(grant, 'r', 'connect', T0)
  expect(await ledger.state(grant, T0)).toMatchObject({ used: 0, givenBack: 1 })
}, 60_000)

test('while the server is away calls are refused at once', async () => {
  const grant = await minted(ledger)
  relay.cut()
  await expect(ledger.charge(grant, aRequest(), T0)).rejects.toMatchObject(unavailable)
  const refused = Array.from({ length: 200 }, () => ledger.charge(grant, aRequest(), T0))
  await expect(Promise.race([Promise.allSettled(refused), sleep(2000)])).resolves.toHaveLength(200)
  await expect(ledger.check()).rejects.toMatchObject(unavailable)
  await expect(ledger.find(new Uint8Array(32))).rejects.toMatchObject(unavailable)
})

test('what a charge could not do, and why, is said once', async () => {
  const grant = await minted(ledger)
  await ledger.charge(grant, aRequest(), T0)
  const sentence = () => ledger.charge(grant, aRequest(), T0).then(String, (error: Error) => error.message)
  relay.swallowAnswers()
  const lost = sentence()
  await sleep(100)
  relay.cut()
  for (const said of [await lost, await sentence()]) {
    expect(said).toMatch(/^Cannot (use|open) the ledger: .*PostgreSQL.*[a-z)]\.( [A-Z][^.]*\.)?$/)
    expect(said.match(/Cannot/g)).toHaveLength(1)
  }
})

/** The server ends the next session that is opened, in the same segment as its last answer to the opening. */
async function endNextAsSoonAsOpen(): Promise<void> {
  // Not the one that listens for endings: it is opened beside the test.
  const looked = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%ended_in >= $1%'
    AND pid <> pg_backend_pid()`
  await expect.poll(() => postgres.query(url, looked)).toHaveLength(1)
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0')
  const head = Buffer.from('E\0\0\0\0')
  head.writeInt32BE(fields.length + 4, 1)
  const ready = Buffer.from('Z\0\0\0\x05I')
  relay.endBehind({ asked: 'pg_is_in_recovery', endsWith: ready, last: Buffer.concat([head, fields]) })
}

test('a session that the server ended as soon as it was open is opened again, and nothing hangs', async () => {
  const grant = await minted(ledger)
  // Charges have a session of their own, and this is the first.
  await endNextAsSoonAsOpen()
  expect(await ledger.charge(grant, aRequest(), T0)).toMatchObject({ kind: 'activation', used: 1 })
  expect(await ledger.charge(grant, aRequest(), T0)).toMatchObject({ kind: 'activation', used: 2 })
})

test('a trail whose session the server ended as soon as it was open is unavailable', async () => {
  await endNextAsSoonAsOpen()
  await expect(ledger.openTrail()).rejects.toMatchObject(unavailable)
  await (await ledger.openTrail()).close()
})

test('a ledger closes while the server stands still', async () => {
  // Without the relay, which would close in the server's place.
  const direct = await openPostgresLedger({ url })
  await minted(direct)
  postgres.pause()
  try {
    const closed = direct.close().then(() => 'closed')
    expect(await Promise.race([closed, sleep(BACK_WITHIN, 'open', { ref: false })])).toBe('closed')
  } finally {
    postgres.resume()
  }
})

test('an ending that came while a replica was cut off it hears of when it is back', async () => {
  const heard: string[] = []
  ledger.onEnding((id) => heard.push(id))
  const grant = await minted(ledger)
  relay.cut()
  const other = await openPostgresLedger({ url })
  await other.end(grant, 'revoked_by_operator', T0, 'ada')
  await other.close()
  relay.restore()
  await expect.poll(() => heard, { timeout: BACK_WITHIN }).toEqual([grant.id])
})

test('a commit that is acknowledged without having reached its standby is none', async () => {
  const grant = await minted(ledger)
  await ledger.charge(grant, aRequest(), T0)
  await setting('synchronous_standby_names', 'absent')
  try {
    const warned = { ...unavailable, message: expect.stringContaining('a warning (01000)') }
    const charge = expect(ledger.charge(grant, aRequest(), T0)).rejects.toMatchObject(warned)
    const cancel = `SELECT count(pg_cancel_backend(pid))::int AS cancelled FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
    await expect.poll(async () => (await postgres.query(url, cancel))[0]?.['cancelled'], { timeout: 4000 }).toBe(1)
    await charge
  } finally {
    await setting('synchronous_standby_names', '')
  }
  await serviceIsBack()
  expect((await ledger.state(grant, T0)).used).toBe(2)
})

test('a server that warns when a session is opened, as of a collation whose version has changed, is served from', async () => {
  await postgres.query(url, `UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()`)
  const codes: (string | undefined)[] = []
  const client = new Client({ connectionString: url })
  client.on('notice', ({ code }) => codes.push(code))
  await client.connect()
  await client.end()
  expect(codes).toEqual(['01000'])
  const opened = await openPostgresLedger({ url })
  expect(await opened.charge(await minted(opened), aRequest(), T0)).toMatchObject({ kind: 'activation' })
  await opened.close()
})

test('a standby that follows asynchronously is refused, unless the configuration accepts the risk by name', async () => {
  const standby = await followAsynchronously()
  await expect(openPostgresLedger({ url })).rejects.toThrow(/storage_risk: accept_asynchronous_standbys/)
  await (await openPostgresLedger({ url, acceptAsynchronousStandbys: true })).close()
  await setting('synchronous_standby_names', '*')
  try {
    await (await openPostgresLedger({ url, acceptAsynchronousStandbys: true })).close()
  } finally {
    await setting('synchronous_standby_names', '')
    await standby.end().catch(() => {})
  }
})

test('a database that does not wait for the disk by default is made to, in every session', async () => {
  await postgres.query(url, `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET synchronous_commit = off`)
  const opened = await openPostgresLedger({ url })
  await opened.check()
  const [row] = await postgres.query(url, 'SHOW synchronous_commit')
  expect(row).toEqual({ synchronous_commit: 'off' })
  await opened.close()
})

test.each([
  ['fsync', 'off', /fsync or full_page_writes off/],
  ['full_page_writes', 'off', /fsync or full_page_writes off/],
])('a server with %s = %s is refused', async (name, value, sentence) => {
  await setting(name, value)
  try {
    await expect(openPostgresLedger({ url })).rejects.toThrow(sentence)
  } finally {
    await setting(name, 'on')
  }
})

test('a database that is not in UTF8 is refused', async () => {
  await postgres.query(url, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
  await expect(openPostgresLedger({ url: url.replace(/[^/]+$/, 'latin') })).rejects.toThrow(
    /expected a database in UTF8/,
  )
})

test('a server that cannot be reached is named, without what the URL holds', async () => {
  relay.cut()
  const opening = openPostgresLedger({ url: `postgresql://till:sk-live-secret@127.0.0.1:${relay.port}/till` })
  await expect(opening).rejects.toThrow(/PostgreSQL cannot be reached/)
  await expect(opening).rejects.not.toThrow(/sk-live-secret/)
})

test('tables that a newer Till has changed beyond what this one knows are refused', async () => {
  await postgres.query(url, 'INSERT INTO till_migrations (number, works_since) VALUES (98, 1)')
  await (await openPostgresLedger({ url })).close()
  await postgres.query(url, 'INSERT INTO till_migrations (number, works_since) VALUES (99, 99)')
  await expect(openPostgresLedger({ url })).rejects.toThrow(/a newer Till/)
})

test('a counter that was raised beyond its budget by hand is an error, and never an activation', async () => {
  const grant = await minted(ledger, { limit: 1 })
  await expect(postgres.query(url, 'UPDATE grant_states SET used = 2')).rejects.toMatchObject({ code: '23514' })
  expect((await ledger.charge(grant, aRequest(), T0)).kind).toBe('activation')
})

async function setting(name: string, value: string): Promise<void> {
  await postgres.query(url, `ALTER SYSTEM SET ${name} = '${value}'`)
  await postgres.query(url, 'SELECT pg_reload_conf()')
  await expect.poll(async () => (await postgres.query(url, `SHOW ${name}`))[0]?.[name]).toBe(value)
}

/** What a standby does: it asks for the log as it grows. */
async function followAsynchronously(): Promise<Client> {
  const client = new Client({ connectionString: url, replication: 'true' } as ConstructorParameters<typeof Client>[0])
  client.on('error', () => {})
  await client.connect()
  const { rows } = await client.query('IDENTIFY_SYSTEM')
  client.query(`START_REPLICATION PHYSICAL ${rows[0].xlogpos}`).catch(() => {})
  await expect
    .poll(async () => (await postgres.query(url, 'SELECT count(*)::int AS n FROM pg_stat_replication'))[0]?.['n'])
    .toBe(1)
  return client
}
