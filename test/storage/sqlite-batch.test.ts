import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Grant } from '#domain/grant.ts'
import { runBatch } from '#storage/sqlite/batch.ts'
import { openDatabase } from '#storage/sqlite/database.ts'
import { openStore, type Store } from '#storage/sqlite/store.ts'
import type { Call } from '#storage/sqlite/verbs.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, minted, T0 } from '#test/contract/mint-entry.ts'
import { verifiedEvents } from '#test/contract/verify-chain.ts'

let folder: string
let path: string
let grant: Grant

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'till-ledger-'))
  path = join(folder, 'till.db')
  const ledger = await openSqliteLedger({ path })
  grant = await minted(ledger, { limit: 1000 })
  await ledger.close()
})
afterEach(() => rm(folder, { recursive: true }))

test('calls of all sorts that wait together get each its own answer', async () => {
  const ledger = await openSqliteLedger({ path })
  const models = ['gpt-5', 'a\nb', '\u0000\u001f', '\ud800', null]
  const requests = models.map((model) => ({ ...aRequest(), model }))
  const answers = await Promise.allSettled([
    ...requests.map((request) => ledger.charge(grant, request, T0)),
    ledger.charge(grant, aRequest(), Number.NaN),
    ledger.state(grant, T0),
    ...requests.map(({ requestId, ...request }) => ledger.record(grant, finished(requestId, request), T0)),
    ledger.record(grant, { ...finished(requests[0]!.requestId, requests[0]!), bytes_in: Number.NaN }, T0),
  ])
  expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.reason.name))).toEqual([
    ...models.map((_, index) => ({ kind: 'activation', used: index + 1, limit: grant.limit })),
    'StorageUnavailable',
    expect.objectContaining({ used: models.length }),
    ...models.map(() => undefined),
    'StorageUnavailable',
  ])
  const events = await verifiedEvents(ledger, grant.id)
  const recorded = ['gpt-5', 'a\ufffdb', '\ufffd\ufffd', '\ufffd', null]
  for (const type of ['activation', 'request.finished'])
    expect(events.flatMap((event) => (event.type === type && 'model' in event ? [event.model] : []))).toEqual(recorded)
  await ledger.close()
})

test('what was committed while it was closing is answered, however busy the thread that waits', async () => {
  const ledger = await openSqliteLedger({ path })
  const charged = ledger.charge(grant, aRequest(), T0)
  const closed = ledger.close()
  // The batch has left. By the end of this its answer waits, and so does the news that the writer is gone.
  await new Promise((resolve) => setImmediate(resolve))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
  expect(await charged).toEqual({ kind: 'activation', used: 1, limit: grant.limit })
  await closed
})

test('of a batch that came to nothing no request stays open, and none is closed', async () => {
  const store = openStore(openDatabase(path, 0))
  const [open, later] = [aRequest(), aRequest()]
  expect(run(store, [['charge', grant.id, open, T0]]).failures).toEqual([])
  const giveBack = ({ requestId }: { requestId: string }): Call => ['giveBack', grant.id, requestId, 'dns', T0]
  // The file is full before all of them are written.
  const many = Array.from({ length: 500 }, (): Call => ['charge', grant.id, aRequest(), T0])
  const { page_count } = store.database.prepare('PRAGMA page_count').get() as { page_count: number }
  store.database.exec(`PRAGMA max_page_count = ${page_count + 1}`)
  const { failures } = run(store, [giveBack(open), ['charge', grant.id, later, T0], ...many])
  expect(failures.at(-1)).toEqual([501, 'SQLITE_FULL'])
  store.database.exec('PRAGMA max_page_count = 1000000')
  expect(run(store, [giveBack(later), ['state', grant.id, T0]]).results[1]).toMatchObject({ used: 1, givenBack: 0 })
  expect(run(store, [giveBack(open), ['state', grant.id, T0]]).results[1]).toMatchObject({ used: 0, givenBack: 1 })
  store.database.close()
})

function run(store: Store, calls: readonly Call[]) {
  return runBatch(store, calls).answer
}

function finished(requestId: string, { provider, route, model }: Omit<ReturnType<typeof aRequest>, 'requestId'>) {
  return {
    type: 'request.finished',
    request_id: requestId,
    provider,
    route,
    model,
    free: false,
    status: 200,
    outcome: 'answered',
    bytes_in: 1,
    bytes_out: 2,
    milliseconds: 3,
    input_tokens: null,
    output_tokens: 4,
  } as const
}
