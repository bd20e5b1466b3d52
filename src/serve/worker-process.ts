import { operatorLog } from '#audit/log.ts'
import type { Address, Config } from '#config.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { SharedWriter } from '#storage/sqlite-ledger.ts'
import { brokerClock } from './broker-clock.ts'
import { type OpenLedger, openLedger } from './open-ledger.ts'
import { peer } from './peer.ts'
import { openPlanes, type Planes } from './planes.ts'
import { keepProcessPrivate, ownSettings, processKeepsSecrets } from './process-checks.ts'
import { rethrowForOperator } from './start-error.ts'
import { tuneV8 } from './tune-v8.ts'
import type { PrimaryMethods } from './workers.ts'

/**
 * One of several processes that serve (`workers:`). The primary starts it, tells it the configuration, and says when it
 * is to stop; signals are the primary's, which a terminal or a supervisor may send to every process.
 */

/** What the primary may ask a worker. */
export type WorkerMethods = typeof methods

interface Running {
  readonly planes: Planes
  readonly opened: OpenLedger
}

const log = operatorLog()
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('uncaughtException', (error) => {
  // Its message may quote a secret.
  log.error('worker.fault', { error: error.name })
  process.exit(1)
})
tuneV8()
keepProcessPrivate(log)

let running: Promise<Running> | null = null
const endingListeners: Parameters<SharedWriter['onEndings']>[0][] = []

const methods = {
  async start(config: Config, now: NumericDate): Promise<Address> {
    running = start(config, now)
    return (await running).planes.address
  },
  async reload(config: Config): Promise<void> {
    const { planes } = await running!
    await planes.reload(config)
  },
  ping(): void {},
  async stop(graceMilliseconds: number): Promise<void> {
    const { planes, opened } = await running!
    await planes.close(graceMilliseconds)
    await opened.close()
  },
  endings(endings: Parameters<(typeof endingListeners)[number]>[0]): void {
    for (const listener of endingListeners) listener(endings)
  },
}
const primary = peer<PrimaryMethods>(
  {
    // When the primary is gone this process has ended already.
    send: (message) => void process.send!(message, () => {}),
    onMessage: (listener) => void process.on('message', listener),
  },
  methods,
)
const writer: SharedWriter = {
  commit: (batch) => primary.ask('commit', batch),
  onEndings: (listener) => void endingListeners.push(listener),
}

/** @param now the primary's clock: a machine's clock that was set back is not believed by a worker that starts later */
async function start(config: Config, now: NumericDate): Promise<Running> {
  processKeepsSecrets(ownSettings())
  const opened = await openLedger(config, writer)
  try {
    const steady = brokerClock(log, { notBefore: now })
    const signer = await receiptSigner(opened)
    // GitHub is asked by the primary alone: it knows what came of asking.
    const github: Parameters<typeof openPlanes>[0]['github'] = {
      webhook: (delivery) => primary.ask('webhook', delivery),
      commentBy: (job) => primary.ask('commentBy', job),
    }
    return { opened, planes: await openPlanes({ config, opened, signer, steady, github, log, isShared: true }) }
  } catch (error) {
    return rethrowForOperator(error)
  }
}
