/**
 * Charges, so that every write can be recorded: `power-loss-process.ts PATH GRANT_ID BATCHES ACKNOWLEDGED`. Batches and
 * checkpoints are those of the worker, here in one thread. What is acknowledged is written to a file of its own, one line
 * a batch, so that it has its place among the recorded calls.
 */
import { openSync, writeSync } from 'node:fs'
import { runBatch } from '#storage/sqlite/batch.ts'
import { openDatabase } from '#storage/sqlite/database.ts'
import { openStore } from '#storage/sqlite/store.ts'
import { aRequest, T0 } from '#test/contract/mint-entry.ts'

const BATCHES_TO_CHECKPOINT = 7
const [path, grantId, batches, acknowledged] = process.argv.slice(2)
const store = openStore(openDatabase(path!, 0))
const log = openSync(acknowledged!, 'w')
let place = 0
for (let batch = 1; batch <= Number(batches); batch++) {
  const requests = Array.from({ length: 1 + (batch % 5) }, () => aRequest())
  const { answer } = runBatch(
    store,
    requests.map((request) => ['charge', grantId!, request, T0]),
  )
  if (answer.failures.length > 0) throw new Error(answer.failures[0]![1])
  place += writeSync(log, `${requests.map(({ requestId }) => requestId)}\n`, place)
  if (batch % BATCHES_TO_CHECKPOINT === 0) store.sql('PRAGMA wal_checkpoint(PASSIVE)').get()
}
// No close: it would tidy up what a power cut leaves.
process.exit()
