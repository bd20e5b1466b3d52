import type { CheckpointSink } from '#audit/checkpoint-sink.ts'
import { startCheckpoints } from '#audit/checkpoints.ts'
import { type Ledger, type Log, reasonOf, type Signer } from '#broker/ports.ts'
import type { Config } from '#config.ts'
import { every } from './every.ts'
import type { SteadyClock } from './steady-clock.ts'

const SWEEP_MILLISECONDS = 1000
/** How often keys are forgotten that ended long ago. */
const FORGET_MILLISECONDS = 60_000

/**
 * What a broker does once, however many processes serve: it ends what time has ended, forgets what is old, makes
 * checkpoints, and logs endings.
 *
 * @param config as it is now
 * @returns what stops it, after a last checkpoint
 */
export function startHousekeeping({
  ledger,
  records,
  signer,
  sink,
  steady,
  config,
  log,
}: {
  readonly ledger: Ledger
  /** Sealed. */
  readonly records: Pick<Ledger, 'readRecord' | 'writeRecord'>
  readonly signer: Signer
  readonly sink: CheckpointSink | null
  readonly steady: SteadyClock
  readonly config: () => Config
  readonly log: Log
}): () => Promise<void> {
  const { clock, isBehind } = steady
  ledger.onEnding((keyId, { reason }) => log.info('key.ended', { key_id: keyId, reason }))
  const stopSweeping = every(
    SWEEP_MILLISECONDS,
    () => ledger.sweep(clock()),
    (error) => log.error('sweep.failed', { reason: reasonOf(error) }),
  )
  const stopForgetting = every(
    FORGET_MILLISECONDS,
    async () => {
      const { keysSeconds } = config().retention
      if (keysSeconds === null || isBehind()) return
      const count = await ledger.forgetKeys(clock() - keysSeconds, clock())
      if (count > 0) log.info('keys.forgotten', { count })
    },
    (error) => log.error('retention.failed', { reason: reasonOf(error) }),
  )
  const { everySeconds } = config().audit
  const checkpoints = startCheckpoints({ ledger, records, signer, clock, log, sink, everySeconds })
  return async () => {
    stopSweeping()
    stopForgetting()
    await checkpoints.stop()
  }
}
