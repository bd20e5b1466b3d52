import { type Clock, type Ledger, type Log, reasonOf, type SignedCheckpoint, type Signer } from '#broker/ports.ts'
import { type CheckpointSink, ShippingFailed } from './checkpoint-sink.ts'
import { checkpointOf, makeCheckpoint } from './make-checkpoint.ts'

/** Waits between tries to ship, in milliseconds: doubled each time, up to the last. */
const FIRST_WAIT = 1000
const LONGEST_WAIT = 300_000
/** How long the end of the broker waits for the last shipment. Milliseconds. */
const LAST_SHIPMENT = 5000
/** Checkpoints that are read at once. */
const PAGE = 64

type ShippingRecords = Pick<Ledger, 'readRecord' | 'writeRecord'>

export interface Checkpoints {
  /** Makes a last checkpoint, and tries once to ship what is not shipped. */
  stop(): Promise<void>
}

/**
 * Makes a checkpoint at an interval, when something changed, and ships each to a sink. Neither is waited for by any
 * request, and neither's failure stops one: what could not be made or shipped is logged, and tried again.
 *
 * @param sink `null`: checkpoints stay in the ledger
 */
export function startCheckpoints({
  ledger,
  records,
  signer,
  clock,
  log,
  sink,
  everySeconds,
}: {
  readonly ledger: Ledger
  /** Where it is kept what a sink was sent that cannot be asked. */
  readonly records: ShippingRecords
  readonly signer: Signer
  readonly clock: Clock
  readonly log: Log
  readonly sink: CheckpointSink | null
  readonly everySeconds: number
}): Checkpoints {
  const stopping = new AbortController()
  const shipping = sink && shipper({ ledger, records, log, sink })
  let making: Promise<void> = Promise.resolve()

  async function make(): Promise<void> {
    try {
      await makeCheckpoint({ ledger, signer }, clock())
    } catch (error) {
      log.error('checkpoint.failed', { reason: reasonOf(error) })
    }
  }

  const timer = setInterval(() => {
    making = making.then(make).then(() => shipping?.ship(stopping.signal))
  }, everySeconds * 1000).unref()
  // What an earlier process could not ship.
  making = making.then(() => shipping?.ship(stopping.signal))

  return {
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await making
      await make()
      await shipping?.shipLast()
    },
  }
}

/** Ships in order. After a failure it tries again by itself, and nothing is sent sooner. */
function shipper({
  ledger,
  records,
  log,
  sink,
}: {
  readonly ledger: Ledger
  readonly records: ShippingRecords
  readonly log: Log
  readonly sink: CheckpointSink
}) {
  /** `null`: not known yet. */
  let shipped: number | null = null
  let wait = 0
  let retry: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  async function next(): Promise<readonly SignedCheckpoint[]> {
    shipped ??= await lastShipped()
    const page = await ledger.checkpoints(shipped, PAGE)
    return sink.keepsOnlyTheNewest ? page.slice(-1) : page
  }

  async function lastShipped(): Promise<number> {
    const newest = sink.newest()
    if (newest !== null) return checkpointOf(newest)?.seq ?? 0
    if (sink.isReadable) return 0
    const { last } = await ledger.sinceCheckpoint()
    const made = last?.seq ?? 0
    const sent = await readSent()
    if (sent <= made) return sent
    // Whoever is shipped to for the first time wants the newest and what comes, not all that ever was.
    const first = Math.max(0, made - 1)
    await writeSent(first)
    return first
  }

  /** `NaN` when there is no record. */
  async function readSent(): Promise<number> {
    const bytes = sink.record && (await records.readRecord(sink.record))
    return bytes ? Number(Buffer.from(bytes).toString('latin1')) : Number.NaN
  }

  async function writeSent(seq: number): Promise<void> {
    if (sink.record) await records.writeRecord(sink.record, Buffer.from(String(seq)))
  }

  async function shipAll(signal: AbortSignal): Promise<void> {
    try {
      for (let page = await next(); page.length > 0; page = await next())
        for (const { seq, jws } of page) {
          await sink.send(jws, signal)
          shipped = seq
          await writeSent(seq)
        }
      wait = 0
    } catch (error) {
      if (signal.aborted) return
      wait = Math.min(wait === 0 ? FIRST_WAIT : wait * 2, LONGEST_WAIT)
      const reason = error instanceof ShippingFailed ? error.message : 'the ledger or the file cannot be read'
      log.warn('checkpoint.not_shipped', { reason, milliseconds: wait })
      retry = setTimeout(() => {
        retry = undefined
        running = running.then(() => shipAll(signal))
      }, wait).unref()
    }
  }

  return {
    /** Resolves when all is shipped, or when a try failed. Does nothing while another try waits for its time. */
    ship(signal: AbortSignal): Promise<void> {
      if (retry === undefined) running = running.then(() => shipAll(signal))
      return running
    },
    async shipLast(): Promise<void> {
      clearTimeout(retry)
      await running
      await shipAll(AbortSignal.timeout(LAST_SHIPMENT))
      clearTimeout(retry)
    },
  }
}
