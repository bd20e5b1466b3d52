import { hash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { eventText } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import type { Store } from './store.ts'

export async function openSqliteStore(): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'till-bench-'))
  const path = join(folder, 'till.db')
  const ledger = await openSqliteLedger({ path })
  return {
    ledger,
    alone: { 'one commit per charge': async ([grant], seconds, now) => chargeAlone(path, grant!, seconds, now) },
    async close() {
      await ledger.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** What a broker without group commit would do: the same two rows, in a transaction for each charge. */
function chargeAlone(path: string, grant: Grant, seconds: number, now: number): number {
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
