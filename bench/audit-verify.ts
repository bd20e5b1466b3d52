/**
 * How long `till audit verify` takes for a store of a million events, and how much memory: the bar is 30 seconds.
 *
 *     node bench/audit-verify.ts [events] [chains]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeCheckpoint } from '#audit/make-checkpoint.ts'
import { verifyTrail } from '#audit/verify-trail.ts'
import { randomBytes } from '#crypto/digest.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import { sealer } from '#crypto/seal.ts'
import { verifyJws } from '#crypto/verify-receipt.ts'
import type { Grant } from '#domain/grant.ts'
import { type Chain, link } from '#storage/chain.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { minted, T0 } from '#test/contract/mint-entry.ts'

const events = Number(process.argv[2] ?? 1_000_000)
const chains = Number(process.argv[3] ?? 1000)
const CHECKPOINTS = 10
const folder = mkdtempSync(join(tmpdir(), 'till-bench-'))

try {
  const path = join(folder, 'till.db')
  const ledger = await openSqliteLedger({ path })
  const signer = await receiptSigner({ ledger, seal: await sealer(randomBytes(32)) })
  const grants: Grant[] = []
  for (let i = 0; i < chains; i++) grants.push(await minted(ledger))
  for (let part = 0; part < CHECKPOINTS; part++) {
    fill(path, grants, Math.round(events / CHECKPOINTS))
    await makeCheckpoint({ ledger, signer }, T0 + part)
  }
  const before = process.memoryUsage.rss()
  const start = performance.now()
  const trail = await ledger.openTrail()
  const report = await verifyTrail(trail, (jws, type) => verifyJws(jws, signer.publicKeys(), type))
  const seconds = (performance.now() - start) / 1000
  await trail.close()
  await ledger.close()
  if (report.faults.length > 0) throw new Error(JSON.stringify(report.faults[0]))
  const megabytes = (process.memoryUsage.rss() - before) / 1024 / 1024
  console.log(
    `${report.events} events in ${report.chains} chains, ${report.checkpoints} checkpoints: ` +
      `${seconds.toFixed(1)} s, ${Math.round(report.events / seconds)} events a second, ${megabytes.toFixed(0)} MiB more memory`,
  )
} finally {
  rmSync(folder, { recursive: true })
}

/** What requests of these keys would have written, in turns, in one transaction. */
function fill(path: string, grants: readonly Grant[], count: number): void {
  const database = new DatabaseSync(path, { timeout: 5000 })
  const insert = database.prepare('INSERT INTO events (chain, seq, before, hash, text) VALUES (?, ?, ?, ?, ?)')
  const read = database.prepare(
    'SELECT grant_no AS no, used, events, lower(hex(head)) AS head, last_event AS last FROM grant_states JOIN grants ON no = grant_no WHERE id = ?',
  )
  const save = database.prepare(
    'UPDATE grant_states SET used = ?, events = ?, head = ?, last_event = ?, budget = 1000000 WHERE grant_no = ?',
  )
  database.exec('BEGIN IMMEDIATE')
  const open = grants.map(({ id }) => {
    const row = read.get(id) as { no: number; used: number; events: number; head: string; last: number }
    const chain: Chain = { name: id, length: row.events, head: row.head }
    return { ...row, chain }
  })
  for (let i = 0; i < count; i++) {
    const grant = open[i % open.length]!
    const request = { request_id: `r_${i}`, provider: 'openai', route: 'POST /v1/responses', model: 'gpt-5-mini' }
    const text = link(grant.chain, { type: 'activation', ...request, used: ++grant.used }, T0 + i / 1000)
    const head = Buffer.from(grant.chain.head, 'hex')
    grant.last = Number(insert.run(grant.no, grant.chain.length, grant.last, head, text).lastInsertRowid)
  }
  for (const { no, used, chain, last } of open) save.run(used, chain.length, Buffer.from(chain.head, 'hex'), last, no)
  database.exec('COMMIT')
  database.close()
}
