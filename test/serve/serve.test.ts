import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { compactVerify, createRemoteJWKSet } from 'jose'
import { afterEach, expect, test } from 'vitest'
import { credentialRecord } from '#crypto/stored-credentials.ts'
import { clockIsNotBehind } from '#serve/self-checks.ts'
import { openLedger, StartError } from '#serve.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, minted, T0 } from '#test/contract/mint-entry.ts'
import type { Till } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'
import type { ReceiptAnswer } from '#wire/receipt.ts'
import { beside, brokers, mintAt, mintedAt, use } from './brokers.ts'

const running = brokers()
afterEach(() => running.close())

async function revoked(url: string, { id, key }: MintAnswer): Promise<ReceiptAnswer> {
  const response = await fetch(`${url}/v1/keys/${id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${key}` },
  })
  expect(response.status).toBe(200)
  return (await response.json()) as ReceiptAnswer
}

test('one job: minted, used, revoked, refused, and accounted for', async () => {
  const { url, provider, mint } = await running.till()
  const minted = await mint({ activations: 2 })
  expect((await use(url, minted.key)).status).toBe(200)
  const { receipt, jws } = await revoked(url, minted)
  const refused = await use(url, minted.key)
  expect([refused.status, refused.headers.get('till-error')]).toEqual([410, 'key_revoked'])
  expect(receipt).toMatchObject({ activations: { limit: 2, used: 1 }, end_reason: 'revoked_by_job' })
  const { payload } = await compactVerify(jws, createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`)))
  expect(JSON.parse(new TextDecoder().decode(payload))).toEqual(receipt)
  expect(provider.received.map(({ credential }) => credential)).toEqual(['openai'])
})

test('a restart keeps keys, counters, receipts and the key that signs them', async () => {
  const till = await running.till()
  const first = await running.start(beside(till))
  const minted = await mintedAt(first.url, till)
  await use(first.url, minted.key)
  const published = await (await fetch(`${first.url}/.well-known/jwks.json`)).text()
  await first.broker.close(0)

  const second = await running.start(beside(till))
  expect(await (await fetch(`${second.url}/.well-known/jwks.json`)).text()).toBe(published)
  expect((await use(second.url, minted.key)).headers.get('till-activations-used')).toBe('2')
  expect((await revoked(second.url, minted)).receipt.activations.used).toBe(2)
})

test('a key whose time has come is ended by the sweep, and its ending logged', async () => {
  const { log, mint } = await running.till()
  const { id } = await mint({ expires_in: 1 })
  await expect
    .poll(() => log.find(({ event }) => event === 'key.ended'), { timeout: 10_000 })
    .toMatchObject({ fields: { key_id: id, reason: 'expired' } })
})

test('readyz answers 200 once the keys of the issuer are there', async () => {
  const { url } = await running.till()
  await expect.poll(async () => (await fetch(`${url}/readyz`)).status, { timeout: 10_000 }).toBe(200)
})

test('readyz names the part that does not work: issuer keys', async () => {
  const broken = createServer((_, response) => response.writeHead(500).end()).listen(0, '127.0.0.1')
  running.also(() => broken.close())
  await once(broken, 'listening')
  const issuer = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`
  const { url } = await running.till({ settings: { issuers: [issuer] } })
  const response = await fetch(`${url}/readyz`)
  expect(response.status).toBe(503)
  expect(await response.text()).toContain('issuer keys')
})

test('a stored credential that is missing leaves the broker running and that provider unready', async () => {
  const { log, mint } = await running.till({
    providers: { groq: { origin: 'https://groq.test', credential: 'stored' } },
  })
  expect(log).toContainEqual({ level: 'warn', event: 'credential.missing', fields: { provider: 'groq' } })
  expect((await mint({ providers: ['openai'] })).providers).toHaveProperty('openai')
  await expect(mint({ providers: ['groq'] })).rejects.toMatchObject({
    status: 503,
    problem: { code: 'credential_missing' },
  })
})

test('a stored credential is used after a reload, and only for the origin that it was given for', async () => {
  const till = await running.till()
  const at = (origin: string) => beside(till, (file) => (file.providers['openai'] = { origin, credential: 'stored' }))
  const { broker, url } = await running.start(at(till.provider.url))
  expect((await mintAt(url, till)).status).toBe(503)

  const opened = await openLedger(at(till.provider.url))
  const provider = at(till.provider.url).providers.get('openai')!
  await opened.records.writeRecord(credentialRecord(provider), Buffer.from(till.provider.credentials.openai))
  await opened.close()
  await broker.reload(at(till.provider.url))
  expect((await use(url, (await mintedAt(url, till)).key)).status).toBe(200)
  expect(till.provider.received.at(-1)?.credential).toBe('openai')

  await broker.reload(at('https://elsewhere.test'))
  expect((await mintAt(url, till)).status).toBe(503)
})

test('a reload replaces policies for the next mint, and leaves keys and counters as they are', async () => {
  const till = await running.till()
  const giving = (activations: number) => beside(till, (file) => (file.policies[0]!.activations = activations))
  const { broker, url, log } = await running.start(giving(3))
  const { key } = await mintedAt(url, till)
  await use(url, key)
  await broker.reload(giving(7))
  expect((await mintedAt(url, till)).activations).toBe(7)
  const self = await fetch(`${url}/v1/keys/self`, { headers: { authorization: `Bearer ${key}` } })
  expect(await self.json()).toMatchObject({ activations: { limit: 3, used: 1, remaining: 2 } })
  expect(log.map(({ event }) => event)).not.toContain('config.needs_restart')
})

test('what a reload cannot change stays, and is named', async () => {
  const till = await running.till()
  const { broker, url, log } = await running.start(beside(till))
  const other = { storage: 'sqlite:./third.db', public_url: 'https://other.test' }
  await broker.reload(beside(till, (file) => Object.assign(file, other)))
  expect(log).toContainEqual({
    event: 'config.needs_restart',
    fields: { part: ['public_url', 'storage'] },
  })
  expect(await (await fetch(`${url}/.well-known/till`)).json()).toMatchObject({ audience: till.url })
})

test('policies for any of several issuers are named in the log, at the start and at a reload', async () => {
  const till = await running.till()
  const issuers = ['http://127.0.0.1:9', 'http://127.0.0.1:10']
  const among = (count: number) => beside(till, (file) => Object.assign(file, { issuers: issuers.slice(0, count) }))
  const { broker, log } = await running.start(among(1))
  const risks = () => log.filter(({ event }) => event === 'config.risky')
  expect(risks()).toEqual([])
  await broker.reload(among(2))
  expect(risks()).toHaveLength(among(2).policies.length)
  expect(risks()[0]?.fields).toMatchObject({ problem: expect.stringContaining('has no claims.iss') })
  await broker.reload(among(1))
  expect(risks()).toHaveLength(among(2).policies.length)

  const other = await running.start({ ...among(2), storage: { kind: 'sqlite', path: `${till.file}.third.db` } })
  expect(other.log.map(({ event }) => event)).toContain('config.risky')
})

test.each([
  ['an App waits', { app_id: '123', private_key: 'file:app.pem' }, ['github']],
  ['a webhook without an App does not wait', { webhook_secret: 'env:MASTER_KEY' }, []],
])('a reload that brings %s for a restart', async (_, github, part) => {
  const till = await running.till()
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(join(dirname(till.file), 'app.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const { broker, log } = await running.start(beside(till))
  await broker.reload(beside(till, (file) => (file.github = github)))
  expect(log.flatMap(({ event, fields }) => (event === 'config.needs_restart' ? [fields] : []))).toEqual(
    part.length === 0 ? [] : [{ part }],
  )
})

test('a broker that stops refuses what comes, and lets open streams finish', async () => {
  const till = await running.till()
  const { broker, url } = await running.start(beside(till))
  const { id, key } = await mintedAt(url, till)
  const gate = Promise.withResolvers<void>()
  till.provider.next({ gap: (event) => (event === 0 ? Promise.resolve() : gate.promise) })
  const stream = await use(url, key, { stream: true })

  const closed = broker.close(30_000)
  expect((await fetch(`${url}/readyz`)).status).toBe(503)
  expect((await use(url, key)).status).toBe(503)
  const refused = await mintAt(url, till)
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'not_ready' }])
  const receipt = await fetch(`${url}/v1/keys/${id}/receipt`, { headers: { authorization: `Bearer ${key}` } })
  expect(receipt.status).toBe(200)
  gate.resolve()
  expect(await stream.text()).toContain('response.completed')
  await closed
  await expect(fetch(`${url}/healthz`)).rejects.toThrow()
})

test('a broker that stops cuts what is open when the time is over; stopping twice is stopping once', async () => {
  const till = await running.till()
  const { broker, url } = await running.start(beside(till))
  const { key } = await mintedAt(url, till)
  till.provider.next({ hang: true })
  const cut = use(url, key).then(
    ({ status }) => status >= 500,
    () => true,
  )
  await till.provider.arrived(1)
  await Promise.all([broker.close(10), broker.close(10)])
  expect(await cut).toBe(true)
})

test('a master key that nobody named is made beside the database, for its owner only', async () => {
  const { database } = await running.till()
  const { mode } = statSync(join(dirname(database), 'master.key'))
  expect((mode & 0o777).toString(8)).toBe('600')
})

test.each([
  [
    'the address is taken',
    (till: Till) => beside(till, (file) => (file.listen = till.url.slice('http://'.length))),
    /Cannot listen/,
  ],
  [
    'the store is one that this version does not have',
    (till: Till) =>
      beside(till, (file) =>
        Object.assign(file, { storage: 'postgresql://till@127.0.0.1/till', master_key: 'env:MASTER_KEY' }),
      ),
    /PostgreSQL/,
  ],
])('StartError when %s', async (_, configOf, sentence) => {
  const starting = running.start(configOf(await running.till()))
  await expect(starting).rejects.toBeInstanceOf(StartError)
  await expect(starting).rejects.toThrow(sentence)
})

test('StartError when the master key is not that of the database', async () => {
  const config = beside(await running.till())
  await (await running.start(config)).broker.close(0)
  const starting = running.start({ ...config, masterKey: new Uint8Array(32).fill(7) })
  await expect(starting).rejects.toBeInstanceOf(StartError)
})

test('StartError when everybody may read the database', async () => {
  const till = await running.till()
  const database = join(dirname(till.file), 'second.db')
  writeFileSync(database, '')
  chmodSync(database, 0o644)
  await expect(running.start(beside(till))).rejects.toBeInstanceOf(StartError)
})

test('StartError when the ledger is empty beside its master key: what was spent would be forgotten', async () => {
  const { masterKey: _, ...config } = beside(await running.till())
  const { broker } = await running.start({ ...config, masterKey: null })
  await broker.close(0)
  const { path } = config.storage as { path: string }
  truncateSync(path)
  await expect(running.start({ ...config, masterKey: null })).rejects.toThrow(/is empty/)
})

test('StartError when the clock stands before the last use of a key', async () => {
  const till = await running.till()
  const { broker, url } = await running.start(beside(till))
  await mintedAt(url, till)
  await broker.close(0)
  await expect(running.start(beside(till), () => Date.now() / 1000 - 3600)).rejects.toThrow(/clock/)
})

test('… of any key: not only of the one that was minted last', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'till-clock-'))
  const ledger = await openSqliteLedger({ path: join(folder, 'till.db') })
  const old = await minted(ledger, { at: T0, expiresIn: 604_800 })
  await minted(ledger, { at: T0 + 10, expiresIn: 60 })
  await ledger.charge(old, aRequest(), T0 + 200_000)
  await ledger.sweep(T0 + 200_001)
  await expect(clockIsNotBehind(ledger, T0 + 100)).rejects.toThrow(/clock/)
  await clockIsNotBehind(ledger, T0 + 200_000)
  const fact = { type: 'operator.set_credential', operator: 'cli:ada', provider: 'groq' } as const
  await ledger.writeRecord('credential', Uint8Array.of(1), { fact, now: T0 + 900_000 })
  await clockIsNotBehind(ledger, T0 + 200_000)
  await ledger.close()
  rmSync(folder, { recursive: true })
})

test('a start that failed leaves nothing open: the same database starts', async () => {
  const config = beside(await running.till())
  await expect(running.start({ ...config, masterKey: new Uint8Array(31) })).rejects.toBeInstanceOf(StartError)
  await (await running.start(config)).broker.close(0)
})
