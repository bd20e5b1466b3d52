import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exportTrail } from '#audit/export-trail.ts'
import { makeCheckpoint } from '#audit/make-checkpoint.ts'
import { openExport } from '#audit/open-export.ts'
import { receiptOfChain } from '#audit/receipt-of-chain.ts'
import { verifyTrail } from '#audit/verify-trail.ts'
import { canonicalJson } from '#domain/audit-event.ts'
import { receiptOf } from '#domain/receipt.ts'
import { openTrail } from '#storage/sqlite/trail.ts'
import { type StoredTrail, storedTrail } from '#test/audit/stored-trail.ts'

let store: StoredTrail
let lines: readonly string[]

beforeAll(async () => {
  store = await storedTrail()
  await makeCheckpoint({ ledger: store.ledger, signer: store.signer }, 2_000_000_000)
  const trail = openTrail(store.path)
  const exported: string[] = []
  for await (const line of exportTrail(trail)) exported.push(Buffer.from(line).toString())
  await trail.close()
  lines = exported
})
afterAll(() => store.close())

async function verify(changed: readonly string[], end = '\n') {
  const path = join(store.folder, 'changed.jsonl')
  writeFileSync(path, changed.join(end) + end)
  const trail = await openExport(path, store.verify)
  const report = await verifyTrail(trail, store.verify, { isCopy: true })
  return { ...report, faults: [...trail.faults, ...report.faults], trail }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const isCheckpoint = (line: string) => line.includes('"type":"checkpoint"}')
const eventsOf = (chain: string) => lines.filter((line) => line.includes(`"chain":"${chain}"`) && !isCheckpoint(line))

test('the export as it was written holds, and all of it is vouched for', async () => {
  expect(await verify(lines)).toMatchObject({ faults: [], unwitnessed: 0, chains: 3 })
})

test('a key that is left out is found, though the export was made to say that it was forgotten', async () => {
  const key = store.keys[1].id
  const gone = eventsOf(key)
  const broker = eventsOf('broker')
  const forged = canonicalJson({
    at: 2_000_000_000,
    chain: 'broker',
    events: gone.length,
    head: sha256(gone.at(-1)!),
    key,
    operator: 'retention',
    prev: sha256(broker.at(-1)!),
    seq: broker.length + 1,
    type: 'operator.forget',
  })
  const changed = lines.flatMap((line) => (line === broker.at(-1) ? [line, forged] : gone.includes(line) ? [] : [line]))
  const { faults } = await verify(changed)
  expect(faults).toEqual([expect.objectContaining({ kind: 'truncated', chain: key })])
})

test('a chain that was added is counted as vouched for by nobody', async () => {
  const added = { at: 1, chain: `k_${'A'.repeat(22)}`, prev: '0'.repeat(64), seq: 1, type: 'activation' }
  expect(await verify([canonicalJson(added), ...lines])).toMatchObject({ unwitnessed: 1, chains: 4 })
})

test('line ends that were changed are a change', async () => {
  expect((await verify(lines, '\r\n')).faults).not.toEqual([])
})

const HOSTILE = { toString: 1, valueOf: 1 }

describe('a checkpoint line with values that convert to nothing is a fault, not a crash', () => {
  const at = () => lines.findIndex(isCheckpoint)
  type Line = { list: unknown[][]; seq: unknown }
  test.each<[string, (line: Line) => void]>([
    ['the chain of a head', ({ list }) => list[0]!.splice(0, 1, HOSTILE)],
    ['the number of a head', ({ list }) => list[0]!.splice(1, 1, HOSTILE)],
    ['the hash of a head', ({ list }) => list[0]!.splice(2, 1, null)],
    ['a head', ({ list }) => list.splice(0, 1, null as never)],
    ['its number', (line) => Object.assign(line, { seq: HOSTILE })],
    ['its number in words', (line) => Object.assign(line, { seq: 'one' })],
  ])('%s', async (_, change) => {
    const line = JSON.parse(lines[at()]!)
    change(line)
    const { faults, unwitnessed } = await verify(lines.with(at(), canonicalJson(line)))
    expect(faults).not.toEqual([])
    expect(unwitnessed).toBeGreaterThanOrEqual(0)
  })
})

describe('a line of an event that', () => {
  const first = () => lines.findIndex((line) => line.includes('"type":"key.minted"'))
  test.each<[string, (line: string) => string]>([
    ['names a member twice', (line) => line.replace('{', '{"seq":99,')],
    ['names two chains', (line) => line.replace('"chain":', '"chain":"checkpoints","chain":')],
    ['lacks its job', (line) => line.replace('"job":', '"jab":')],
    ['is null', () => 'null'],
    ['is an array in arrays', () => '['.repeat(100_000)],
  ])('%s: found, by the export and by the receipt', async (_, change) => {
    const chain = (JSON.parse(lines[first()]!) as { chain: string }).chain
    const account = receiptOf()
    for await (const { event, hash } of store.ledger.events(chain)) account.add(event, hash)
    const { faults, trail } = await verify(lines.with(first(), change(lines[first()]!)))
    expect(faults).not.toEqual([])
    expect(await receiptOfChain(trail, account.receipt())).not.toBeNull()
  })
})
