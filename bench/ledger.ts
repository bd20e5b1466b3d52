/**
 * Charges a second of the ledger with 64 waiting, against the same rows written without group commit, to the same disk
 * with the same durability, in turns; only the ratios count. SQLite: one commit per charge; the bar of PERFORMANCE is 10,
 * the aim 20. PostgreSQL: UPDATE and INSERT per request,
 * 64 requests on 16 connections; the bar is 5, the aim 8.
 *
 *     node bench/ledger.ts [seconds] [sqlite|postgres]
 */
import { randomBytes } from 'node:crypto'
import type { Ledger } from '#broker/ports.ts'
import type { Grant } from '#domain/grant.ts'
import { formatKeyId } from '#domain/key.ts'
import { openPostgresStore } from './ledgers/postgres.ts'
import { openSqliteStore } from './ledgers/sqlite.ts'
import type { Store } from './ledgers/store.ts'

const WAITING = 64
const ROUNDS = 5
const seconds = Number(process.argv[2] ?? 1)
const now = Math.floor(Date.now() / 1000)
const stores: Readonly<Record<string, () => Promise<Store>>> = {
  sqlite: openSqliteStore,
  postgres: openPostgresStore,
}

for (const [name, open] of Object.entries(stores)) {
  if (process.argv[3] !== undefined && process.argv[3] !== name) continue
  const store = await open()
  try {
    await measure(name, store)
  } finally {
    await store.close()
  }
}

async function measure(name: string, { ledger, alone }: Store): Promise<void> {
  const rows: Record<string, number>[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const grants = await Promise.all(Array.from({ length: WAITING }, () => mint(ledger)))
    const row: Record<string, number> = {}
    for (const [what, charge] of Object.entries(alone)) row[`${what}, /s`] = await charge(grants, seconds, now)
    row['64 waiting, one key, /s'] = await chargeTogether(ledger, [grants[0]!])
    row['64 waiting, 64 keys, /s'] = await chargeTogether(ledger, grants)
    row['one waiting, /s'] = await chargeTogether(ledger, grants, 1)
    for (const what of Object.keys(alone)) {
      row[`64 keys ÷ ${what}`] = row['64 waiting, 64 keys, /s']! / row[`${what}, /s`]!
      row[`one key ÷ ${what}`] = row['64 waiting, one key, /s']! / row[`${what}, /s`]!
    }
    rows.push(row)
  }
  console.log(name)
  for (const what of Object.keys(rows[0]!)) {
    const sorted = rows.map((row) => row[what]!).sort((a, b) => a - b)
    const [least, median, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!]
    console.log(`  ${what.padEnd(58)} ${median.toFixed(1).padStart(9)}   (${least.toFixed(1)} to ${most.toFixed(1)})`)
  }
}

/** Keeps that many charges waiting; charges a second. */
async function chargeTogether(ledger: Ledger, grants: readonly Grant[], waiting = WAITING): Promise<number> {
  const start = performance.now()
  const end = start + seconds * 1000
  let charges = 0
  const client = async (grant: Grant) => {
    while (performance.now() < end) {
      const request = {
        requestId: `r_${charges}`,
        provider: 'openai',
        route: 'POST /v1/responses',
        model: 'gpt-5-mini',
      }
      if ((await ledger.charge(grant, request, now)).kind !== 'activation') throw new Error('refused')
      charges++
    }
  }
  await Promise.all(Array.from({ length: waiting }, (_, i) => client(grants[i % grants.length]!)))
  return (charges * 1000) / (performance.now() - start)
}

async function mint(ledger: Ledger): Promise<Grant> {
  const id = formatKeyId(randomBytes(16))
  const grant: Grant = {
    id,
    policy: 'bench',
    job: {
      issuer: 'https://token.actions.githubusercontent.com',
      repositoryId: id,
      repositoryOwnerId: '1',
      repository: 'acme/web',
      runId: '7001',
      runAttempt: '1',
      checkRunId: id,
      claims: {},
    },
    scope: { routes: new Map([['openai', [{ method: 'POST', path: '/v1/responses' }]]]), models: ['gpt-5-mini'] },
    limit: 1_000_000_000,
    mintedAt: now,
    expiresAt: now + 3600,
    idleAfterSeconds: 1200,
    concurrentRequests: 32,
  }
  const outcome = await ledger.mint({
    grant,
    keyDigest: randomBytes(32),
    token: { issuer: grant.job.issuer, jti: id, repositoryId: id, expiresAt: now + 300 },
    idempotencyKey: null,
    limits: { keysPerRun: null, activationsPerRun: null, activationsPerDay: null, concurrentRequests: 32 },
    now,
  })
  if (outcome.kind !== 'minted') throw new Error(`not minted: ${outcome.code}`)
  return grant
}
