import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'
import { checkpointSink } from '#audit/checkpoint-sink.ts'
import { startCheckpoints } from '#audit/checkpoints.ts'
import { checkpointOf, makeCheckpoint } from '#audit/make-checkpoint.ts'
import { rollback } from '#audit/rollback.ts'
import { verifyJws } from '#crypto/verify-receipt.ts'
import { CHECKPOINT_TYPE } from '#domain/checkpoint.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, T0 } from '#test/contract/mint-entry.ts'
import { recordingLog } from '#test/support/recording-log.ts'
import { type StoredTrail, storedTrail, tamper, verified } from './stored-trail.ts'

/** Real time, though a test may fake it later. */
const sleep = promisify(setTimeout)
const open: (() => unknown)[] = []
afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  for (const close of open.splice(0).reverse()) await close()
})

async function trail(): Promise<StoredTrail> {
  const stored = await storedTrail()
  open.push(() => stored.close())
  return stored
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'till-checkpoints-'))
  open.push(() => rmSync(path, { recursive: true }))
  return path
}

async function charge({ ledger, keys }: StoredTrail): Promise<void> {
  await ledger.charge(keys[0], aRequest(), T0 + 200)
}

const seqOf = (jws: string) => checkpointOf(jws)?.seq

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(5)
}

/** From here on what waits in the broker waits for the test. */
function standStill(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
}

/** Takes what is sent to it; answers as it is told, `hang` for never. A redirect leads to `location`. */
async function receiver(statuses: (number | 'hang')[] = [], location = '') {
  const got: { method: string; type: string; body: string }[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const status = statuses.shift() ?? 204
    if (status === 'hang') return
    if (status === 204) got.push({ method: request.method!, type: String(request.headers['content-type']), body })
    response.writeHead(status, { location }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => new Promise((closed) => server.close(closed).closeAllConnections()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/till?signature=secret`, got }
}

function start(stored: StoredTrail, target: Parameters<typeof checkpointSink>[0], everySeconds = 3600) {
  const { ledger, signer } = stored
  const log = recordingLog()
  const sink = checkpointSink(target)
  return {
    lines: log.lines,
    sink,
    ...startCheckpoints({ ledger, records: ledger, signer, clock: () => T0 + 300, log, sink, everySeconds }),
  }
}

test('nothing changed: no new checkpoint', async () => {
  const { ledger, signer, ...stored } = await trail()
  const third = await makeCheckpoint({ ledger, signer }, T0 + 200)
  expect(third?.seq).toBe(3)
  expect(await makeCheckpoint({ ledger, signer }, T0 + 260)).toEqual(third)
  await charge({ ...stored, ledger, signer })
  expect((await makeCheckpoint({ ledger, signer }, T0 + 320))?.seq).toBe(4)
})

test('a checkpoint is signed with the key of receipts, and is no receipt', async () => {
  const { shipped, signer } = await trail()
  expect(verifyJws(shipped[0]!, signer.publicKeys(), CHECKPOINT_TYPE).kind).toBe('verified')
  expect(verifyJws(shipped[0]!, signer.publicKeys()).kind).toBe('unverified')
})

test('of several that are made at the same time each stands once, and the chain holds', async () => {
  const stored = await trail()
  const { ledger, signer } = stored
  const other = await openSqliteLedger({ path: stored.path })
  open.push(() => other.close())
  for (let round = 0; round < 3; round++) {
    await charge(stored)
    await Promise.all([ledger, other, ledger].map((each) => makeCheckpoint({ ledger: each, signer }, T0 + 300)))
  }
  expect(await verified(stored.path, stored.verify)).toMatchObject({ faults: [], unwitnessed: 0 })
})

test('file: each checkpoint is a line, and those of before are there as well', async () => {
  const stored = await trail()
  const to = join(folder(), 'deep', 'checkpoints.jws')
  await start(stored, { kind: 'file', to }).stop()
  const lines = readFileSync(to, 'utf8').trimEnd().split('\n')
  expect(lines.map(seqOf)).toEqual([1, 2, 3])
  expect(await verified(stored.path, stored.verify, { known: lines })).toMatchObject({ faults: [], unwitnessed: 0 })
  await charge(stored)
  await start(stored, { kind: 'file', to }).stop()
  expect(readFileSync(to, 'utf8').trimEnd().split('\n').map(seqOf)).toEqual([1, 2, 3, 4])
})

test('file: a line that a crash left unfinished is cut off', async () => {
  const stored = await trail()
  const to = join(folder(), 'checkpoints.jws')
  writeFileSync(to, `${stored.shipped[0]}\n`)
  appendFileSync(to, stored.shipped[1]!.slice(0, 50))
  expect(checkpointSink({ kind: 'file', to }).newest()).toBe(stored.shipped[0])
  await start(stored, { kind: 'file', to }).stop()
  expect(readFileSync(to, 'utf8').trimEnd().split('\n').map(seqOf)).toEqual([1, 2, 3])
})

test('webhook: what it did not take is sent after a restart, each', async () => {
  const stored = await trail()
  const { url, got } = await receiver(new Array(50).fill(503))
  for (let restart = 0; restart < 2; restart++) {
    await charge(stored)
    await start(stored, { kind: 'webhook', to: url }).stop()
  }
  expect(got).toEqual([])
  const { url: elsewhere, got: all } = await receiver()
  const record = (to: string) => checkpointSink({ kind: 'webhook', to }).record!
  expect(record(url)).not.toContain('secret')
  await stored.ledger.writeRecord(record(elsewhere), (await stored.ledger.readRecord(record(url)))!)
  await start(stored, { kind: 'webhook', to: elsewhere }).stop()
  expect(distinct(all)).toEqual([2, 3, 4])
})

/** What the end cuts off while its answer is under way is sent again. */
const distinct = (got: readonly { readonly body: string }[]) => [...new Set(got.map(({ body }) => seqOf(body)))]

test('webhook: the newest at the start, then each, as application/jose', async () => {
  const stored = await trail()
  const { url, got } = await receiver()
  const checkpoints = start(stored, { kind: 'webhook', to: url })
  await until(() => got.length === 1)
  await checkpoints.stop()
  for (const { method, type } of got) expect([method, type]).toEqual(['POST', 'application/jose'])
  expect(distinct(got)).toEqual([2, 3])
})

test('webhook: what it took is not sent again after a restart', async () => {
  const stored = await trail()
  const { url, got } = await receiver()
  const target = { kind: 'webhook', to: url } as const
  const checkpoints = start(stored, target)
  const sent = async () => Buffer.from((await stored.ledger.readRecord(checkpoints.sink.record!)) ?? []).toString()
  await until(async () => (await sent()) === '2')
  await checkpoints.stop()
  expect(await sent()).toBe('3')
  const before = got.length
  await start(stored, target).stop()
  expect(got).toHaveLength(before)
})

test('webhook: a ledger that was put back behind what was sent sends its newest, then each', async () => {
  const stored = await trail()
  const { url, got } = await receiver()
  const target = { kind: 'webhook', to: url } as const
  await stored.ledger.writeRecord(checkpointSink(target).record!, Buffer.from('9'))
  await start(stored, target).stop()
  expect(distinct(got)).toEqual([2, 3])
})

test('put: the newest takes the place of the one before', async () => {
  const stored = await trail()
  const { url, got } = await receiver()
  await start(stored, { kind: 'put', to: url }).stop()
  expect(got[0]?.method).toBe('PUT')
  expect(distinct(got)).toEqual([3])
})

test('a receiver that fails is tried again, nothing is lost, and its URL is not logged', async () => {
  const stored = await trail()
  const { url, got } = await receiver([500])
  const checkpoints = start(stored, { kind: 'webhook', to: url })
  await until(() => checkpoints.lines.length === 1)
  expect(JSON.parse(checkpoints.lines[0]!)).toEqual({
    event: 'checkpoint.not_shipped',
    fields: { reason: 'it answered 500', milliseconds: 1000 },
  })
  await charge(stored)
  await until(() => got.length === 1)
  await checkpoints.stop()
  expect(distinct(got)).toEqual([2, 3])
  expect(checkpoints.lines.join()).not.toContain('secret')
})

test('a receiver that cannot be reached stops neither the broker nor its end', async () => {
  const stored = await trail()
  const { url } = await receiver()
  await open.pop()!()
  const checkpoints = start(stored, { kind: 'put', to: url })
  await until(() => checkpoints.lines.length === 1)
  expect(JSON.parse(checkpoints.lines[0]!).fields.reason).toBe('ECONNREFUSED')
  await charge(stored)
  await checkpoints.stop()
  expect((await stored.ledger.checkpoints(2, 10)).map(({ seq }) => seq)).toEqual([3])
})

test('what cannot be shipped is tried again after 1 s, 2, 4, … up to 5 minutes, and from 1 s on after a success', async () => {
  const stored = await trail()
  const to = join(folder(), 'checkpoints.jws')
  standStill()
  mkdirSync(to)
  const checkpoints = start(stored, { kind: 'file', to }, 86_400)
  const waits = () => checkpoints.lines.map((line) => JSON.parse(line).fields.milliseconds / 1000)
  const doubled = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
  for (const [tries, wait] of doubled.entries()) {
    await until(() => checkpoints.lines.length === tries + 1)
    if (tries === doubled.length - 1) rmSync(to, { recursive: true })
    vi.advanceTimersByTime(wait * 1000)
  }
  await until(() => seqOf(checkpoints.sink.newest() ?? '') === 2)
  rmSync(to)
  mkdirSync(to)
  await charge(stored)
  vi.advanceTimersByTime(86_400_000)
  await until(() => checkpoints.lines.length > doubled.length)
  expect(waits()).toEqual([...doubled, 1])
  await checkpoints.stop()
})

test('nothing is sent before a try has waited for its time, whatever is made meanwhile', async () => {
  const stored = await trail()
  const to = join(folder(), 'checkpoints.jws')
  standStill()
  mkdirSync(to)
  const checkpoints = start(stored, { kind: 'file', to }, 0.3)
  await until(() => checkpoints.lines.length === 1)
  rmSync(to, { recursive: true })
  // When the second is made, the first could have been sent.
  for (const made of [3, 4]) {
    await charge(stored)
    vi.advanceTimersByTime(300)
    await until(async () => (await stored.ledger.checkpoints(made - 1, 1)).length === 1)
  }
  expect(checkpoints.sink.newest()).toBeNull()
  vi.advanceTimersByTime(400)
  await until(() => seqOf(checkpoints.sink.newest() ?? '') === 4)
  await checkpoints.stop()
})

test('after the end nothing is tried any more', async () => {
  const stored = await trail()
  standStill()
  const checkpoints = start(stored, { kind: 'file', to: folder() })
  await until(() => checkpoints.lines.length === 1)
  await checkpoints.stop()
  expect(checkpoints.lines).toHaveLength(2)
  expect(vi.getTimerCount()).toBe(0)
})

test('a redirect is not followed', async () => {
  const stored = await trail()
  const { url: elsewhere, got } = await receiver()
  const { url } = await receiver([307, 307], elsewhere)
  const checkpoints = start(stored, { kind: 'put', to: url })
  await until(() => checkpoints.lines.length === 1)
  expect(JSON.parse(checkpoints.lines[0]!).fields.reason).toBe('it answered 307')
  await checkpoints.stop()
  expect(got).toEqual([])
})

test('a receiver that does not answer is given up, and the end of the broker waits for less', async () => {
  const { timeout } = AbortSignal
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => timeout.call(AbortSignal, milliseconds / 100))
  const stored = await trail()
  const { url } = await receiver(['hang', 'hang'])
  const checkpoints = start(stored, { kind: 'put', to: url })
  await until(() => checkpoints.lines.length === 1)
  expect(JSON.parse(checkpoints.lines[0]!).fields.reason).toBe('TimeoutError')
  await checkpoints.stop()
  // A try that waited for as long as the first would be in the log.
  expect(checkpoints.lines).toHaveLength(1)
}, 5000)

test('the end of the broker cuts off a try that hangs, and tries once more', async () => {
  const stored = await trail()
  const statuses: 'hang'[] = ['hang']
  const { url, got } = await receiver(statuses)
  const checkpoints = start(stored, { kind: 'put', to: url })
  await until(() => statuses.length === 0)
  await checkpoints.stop()
  expect(got.map(({ body }) => seqOf(body))).toEqual([3])
}, 5000)

test('checkpoints are made at the interval', async () => {
  const stored = await trail()
  const to = join(folder(), 'checkpoints.jws')
  const checkpoints = start(stored, { kind: 'file', to }, 0.02)
  await until(() => seqOf(checkpoints.sink.newest() ?? '') === 3)
  await charge(stored)
  await until(() => seqOf(checkpoints.sink.newest() ?? '') === 4)
  await checkpoints.stop()
})

test('rollback: a ledger that is newer than its checkpoints is fine, with and without a file', async () => {
  const stored = await trail()
  const to = join(folder(), 'checkpoints.jws')
  expect(await rollback(stored.ledger, null, stored.verify)).toBeNull()
  expect(await rollback(stored.ledger, checkpointSink({ kind: 'file', to }), stored.verify)).toBeNull()
  writeFileSync(to, `${stored.shipped.join('\n')}\n`)
  expect(await rollback(stored.ledger, checkpointSink({ kind: 'file', to }), stored.verify)).toBeNull()
})

test('rollback: a ledger that was put back behind the file is refused, with what to do', async () => {
  const stored = await trail()
  const { ledger, signer } = stored
  const to = join(folder(), 'checkpoints.jws')
  const backup = join(folder(), 'backup.db')
  tamper(stored.path, `VACUUM INTO '${backup}'`)
  await charge(stored)
  writeFileSync(to, `${(await makeCheckpoint({ ledger, signer }, T0 + 300))!.jws}\n`)
  const restored = join(folder(), 'till.db')
  copyFileSync(backup, restored)
  chmodSync(restored, 0o600)
  const old = await openSqliteLedger({ path: restored })
  open.push(() => old.close())
  const sentence = await rollback(old, checkpointSink({ kind: 'file', to }), stored.verify)
  expect(sentence).toContain('does not hold checkpoint 3')
  expect(sentence).toContain('till audit verify')
  // It went on, as it was, and has made a checkpoint of that number.
  await old.charge(stored.keys[1], aRequest(), T0 + 400)
  expect((await makeCheckpoint({ ledger: old, signer }, T0 + 500))?.seq).toBe(3)
  expect(await rollback(old, checkpointSink({ kind: 'file', to }), stored.verify)).toContain('another checkpoint 3')
})

test('rollback: a chain that ends before the last checkpoint of the same ledger is refused', async () => {
  const stored = await trail()
  tamper(stored.path, 'UPDATE grant_states SET events = 2')
  expect(await rollback(stored.ledger, null, stored.verify)).toMatch(/has 2 events, and a checkpoint .* says 7/)
})

test.each(['not a checkpoint\n', `${'a.b.c'}\n`])('rollback: a file of something else is refused', async (text) => {
  const stored = await trail()
  const to = join(folder(), 'checkpoints.jws')
  writeFileSync(to, text)
  expect(await rollback(stored.ledger, checkpointSink({ kind: 'file', to }), stored.verify)).toContain(
    'no checkpoint of this broker',
  )
})
