/**
 * What the number of living keys costs: charges a second and memory of a process that holds a ledger with 1,000 keys,
 * 100,000 and 1,000,000, in turns: by 64 jobs that use their keys 25 times each, and, the worst case, with another key for
 * each use. The bar of PERFORMANCE is 0.5 of the rate with 1,000 and 400 MB; the aim 0.8, 250 MB.
 *
 *     node bench/many-keys.ts [--keys 1000,100000,1000000] [--seconds 2] [--rounds 5]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import type { Grant } from '#domain/grant.ts'
import { formatKeyId } from '#domain/key.ts'
import { runBatch } from '#storage/sqlite/batch.ts'
import { openDatabase } from '#storage/sqlite/database.ts'
import { preparePrivateFile } from '#storage/sqlite/file.ts'
import { openStore } from '#storage/sqlite/store.ts'
import type { Call } from '#storage/sqlite/verbs.ts'
import { encodeGrant } from '#storage/stored-grant.ts'
import { residentMiB } from './process.ts'

export const WAITING = 64
/** All keys are minted at this instant, and used at it. */
export const NOW = 1_790_035_200
const MINTS_AT_ONCE = 5000
/** Uses of a key before a client takes another. */
const USES = [25, 1] as const

/** Of the key with this number. */
export function keyDigest(number: number): Uint8Array {
  return hash('sha256', `key ${number}`, 'buffer')
}

if (import.meta.main) await main()

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '1000,100000,1000000' },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '5' },
    },
  })
  const folder = mkdtempSync(join(tmpdir(), 'till-bench-'))
  const contenders: Contender[] = []
  try {
    for (const keys of values.keys.split(',').map(Number)) contenders.push(await start(folder, keys))
    for (const contender of contenders) await rate(contender, Number(values.seconds), 1)
    for (const uses of USES) {
      for (const contender of contenders) contender.rates.length = 0
      for (let round = 0; round < Number(values.rounds); round++)
        for (const contender of round % 2 === 0 ? contenders : contenders.toReversed())
          contender.rates.push(await rate(contender, Number(values.seconds), uses))
      print(contenders, uses)
    }
  } finally {
    for (const { child } of contenders) child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}

interface Contender {
  readonly keys: number
  readonly child: ChildProcess
  readonly lines: AsyncIterator<string>
  readonly rates: number[]
}

async function start(folder: string, keys: number): Promise<Contender> {
  const path = join(folder, `${keys}.db`)
  mintAll(path, keys)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'many-keys-process.ts'), path, String(keys)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
  if ((await lines.next()).value !== 'open') throw new Error('the process ended at its start')
  return { keys, child, lines, rates: [] }
}

/** Mints them as a broker does, only without waiting for the disk. */
function mintAll(path: string, keys: number): void {
  preparePrivateFile(path)
  const store = openStore(openDatabase(path, 0))
  store.database.exec('PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 10000')
  for (let first = 0; first < keys; first += MINTS_AT_ONCE) {
    const count = Math.min(MINTS_AT_ONCE, keys - first)
    const calls = Array.from({ length: count }, (_, index) => mint(first + index))
    const { answer } = runBatch(store, calls)
    if (answer.failures.length > 0) throw new Error(`not minted: ${answer.failures[0]![1]}`)
  }
  store.database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  store.database.close()
}

function mint(number: number): Call {
  const digest = keyDigest(number)
  const id = formatKeyId(digest.subarray(0, 16))
  const grant: Grant = {
    id,
    policy: 'bench',
    job: {
      issuer: 'https://token.actions.githubusercontent.com',
      repositoryId: String(number),
      repositoryOwnerId: '1',
      repository: 'acme/web',
      runId: String(number),
      runAttempt: '1',
      checkRunId: String(number),
      claims: { ref: 'refs/heads/main', event_name: 'push', sha: 'a'.repeat(40), actor: 'octocat', workflow: 'Review' },
    },
    scope: { routes: new Map([['openai', [{ method: 'POST', path: '/v1/responses' }]]]), models: ['gpt-5-mini'] },
    limit: 1_000_000,
    mintedAt: NOW,
    expiresAt: NOW + 3600,
    idleAfterSeconds: 1200,
    concurrentRequests: 32,
  }
  return [
    'mint',
    {
      grant,
      keyDigest: digest,
      token: { issuer: grant.job.issuer, jti: id, repositoryId: grant.job.repositoryId, expiresAt: NOW + 300 },
      idempotencyKey: null,
      limits: { keysPerRun: 16, activationsPerRun: null, activationsPerDay: null, concurrentRequests: 32 },
      now: NOW,
      terms: encodeGrant(grant),
    },
  ]
}

async function rate({ child, lines }: Contender, seconds: number, uses: number): Promise<number> {
  child.stdin!.write(`${seconds} ${uses}\n`)
  const { value, done } = await lines.next()
  if (done) throw new Error(`the process ended: ${(await once(child, 'exit'))[0]}`)
  return Number(value)
}

function print(contenders: readonly Contender[], uses: number): void {
  const [least] = contenders
  console.log(`each key used ${uses === 1 ? 'once' : `${uses} times`} at a time`)
  console.log(
    `${'living keys'.padStart(12)}${'charges/s'.padStart(12)}${'ratio'.padStart(8)}  (least to most)   memory, MiB`,
  )
  for (const { keys, child, rates } of contenders) {
    const ratios = rates.map((rate, round) => rate / least!.rates[round]!).sort((a, b) => a - b)
    console.log(
      `${String(keys).padStart(12)}${median(rates).toFixed(0).padStart(12)}${median(ratios).toFixed(2).padStart(8)}` +
        `  (${ratios[0]!.toFixed(2)} to ${ratios.at(-1)!.toFixed(2)})    ${residentMiB(child.pid!).toFixed(0).padStart(8)}`,
    )
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!
}
