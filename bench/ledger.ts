/**
 * Charges a second of the SQLite ledger with 64 waiting, against one commit per charge: the bar of PERFORMANCE is 10,
 * the aim 20. Both write the same rows to the same disk with the same durability, in turns; only the ratio counts.
 *
 *     node bench/ledger.ts [seconds]
 */
import { hash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Ledger } from '#broker/ports.ts'
import { eventText } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import { formatKeyId } from '#domain/key.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'

const WAITING = 64
const ROUNDS = 5
const seconds = Number(process.argv[2] ?? 1)
const now = Math.floor(Date.now() / 1000)
const folder = mkdtempSync(join(tmpdir(), 'till-bench-'))

try {
  const path = join(folder, 'till.db')
  const ledger = await openSqliteLedger({ path })
  const rows: Record<string, number>[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const grants = await Promise.all(Array.from({ length: WAITING }, () => mint(ledger)))
    const single = chargeAlone(path, grants[0]!)
    const row = {
      'one commit per charge, /s': single,
      '64 waiting, one key, /s': await chargeTogether(ledger, [grants[0]!]),
      '64 waiting, 64 keys, /s': await chargeTogether(ledger, grants),
      'through the worker, one waiting, /s': await chargeTogether(ledger, grants, 1),
    }
    rows.push({
      ...row,
      'ratio, one key': row['64 waiting, one key, /s'] / single,
      'ratio, 64 keys': row['64 waiting, 64 keys, /s'] / single,
    })
  }
  await ledger.close()
  for (const name of Object.keys(rows[0]!)) {
    const sorted = rows.map((row) => row[name]!).sort((a, b) => a - b)
    const [least, median, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!]
    console.log(`${name.padEnd(40)} ${median.toFixed(1).padStart(10)}   (${least.toFixed(1)} to ${most.toFixed(1)})`)
  }
} finally {
  rmSync(folder, { recursive: true })
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

/** What a broker without group commit would do: the same two rows, in a transaction for each charge. */
function chargeAlone(path: string, grant: Grant): number {
  const database = new DatabaseSync(path, { timeout: 5000 })
  database.exec('PRAGMA synchronous = FULL')
  const { no, events, head, last_event } = database
    .prepare(
      'SELECT grant_no AS no, events, head, last_event FROM grant_states JOIN grants ON no = grant_no WHERE id = ?',
    )
    .get(grant.id) as { no: number; events: number; head: Uint8Array; last_event: number }
  const begin = database.prepare('BEGIN IMMEDIATE')
  const update = database.prepare(
    'UPDATE grant_states SET used = used + 1, events = events + 1, head = ?, active_at = ? WHERE grant_no = ? AND used < budget RETURNING used',
  )
  const insert = database.prepare('INSERT INTO events (chain, seq, before, hash, text) VALUES (?, ?, ?, ?, ?)')
  const commit = database.prepare('COMMIT')
  let before: number | bigint = last_event
  let prev = Buffer.from(head).toString('hex')
  let charges = 0
  const start = performance.now()
  for (; performance.now() < start + seconds * 1000; charges++) {
    const seq = events + charges + 1
    const text = eventText({
      type: 'activation',
      chain: grant.id,
      seq,
      at: now,
      prev,
      request_id: `s_${charges}`,
      provider: 'openai',
      route: 'POST /v1/responses',
      model: 'gpt-5-mini',
      used: charges + 1,
    })
    prev = hash('sha256', text, 'hex')
    const digest = Buffer.from(prev, 'hex')
    begin.run()
    update.get(digest, now, no)
    before = insert.run(no, seq, before, digest, text).lastInsertRowid
    commit.run()
  }
  const rate = (charges * 1000) / (performance.now() - start)
  database.close()
  return rate
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
