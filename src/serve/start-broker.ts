import { checkpointSink } from '#audit/checkpoint-sink.ts'
import type { Clock, Log } from '#broker/ports.ts'
import { type Address, type Config, risks } from '#config.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import { brokerClock, sinceStart, systemClock } from './broker-clock.ts'
import { startGitHub } from './github.ts'
import { startHousekeeping } from './housekeeping.ts'
import { type OpenLedger, openLedger } from './open-ledger.ts'
import { openPlanes } from './planes.ts'
import { ownSettings, processKeepsSecrets } from './process-checks.ts'
import { clockIsNotBehind, ledgerIsNotBehind } from './self-checks.ts'
import { needsRestart } from './settings.ts'
import { rethrowForOperator } from './start-error.ts'
import type { SteadyClock } from './steady-clock.ts'
import { version } from './version.ts'
import { startWorkers } from './workers.ts'

export interface Broker {
  /** Where it listens, such as `127.0.0.1:4100`: the real port when the configuration says 0. */
  readonly address: Address
  /** Replaces what is not fixed at the start; what is fixed stays, and is named in the log when it differs. */
  reload(config: Config): Promise<void>
  /** No new requests; open streams may finish for that long (milliseconds, default 60,000); then all is closed. */
  close(graceMilliseconds?: number): Promise<void>
}

/**
 * Starts a broker: in this process, or with several that serve and this one as their primary.
 *
 * @param tools `clock`: the machine's, which need not run forward; `monotonic`: seconds that do; `acceptClock`: the operator
 *   says that the clock is right, whatever is on record
 * @throws {StartError} with a sentence for the operator, when a start-up self-check fails; nothing listens then
 */
export async function startBroker(
  config: Config,
  tools: {
    readonly log: Log
    readonly clock?: Clock
    readonly monotonic?: () => number
    readonly acceptClock?: boolean
  },
): Promise<Broker> {
  processKeepsSecrets(ownSettings())
  const opened = await openLedger(config)
  try {
    const { log, clock: wall = systemClock, monotonic = tools.clock ?? sinceStart } = tools
    if (tools.acceptClock) log.warn('clock.accepted')
    else await clockIsNotBehind(opened.ledger, wall())
    const steady = brokerClock(log, { wall, monotonic })
    return await start(config, opened, log, steady)
  } catch (error) {
    await opened.close().catch(() => {})
    return rethrowForOperator(error)
  }
}

const GRACE_MILLISECONDS = 60_000

/** Introduces the folders to each other. */
async function start(config: Config, opened: OpenLedger, log: Log, steady: SteadyClock): Promise<Broker> {
  let current = config
  const { ledger, records, seal } = opened
  const signer = await receiptSigner({ ledger, seal })
  const sink = config.audit.checkpoints && checkpointSink(config.audit.checkpoints)
  await ledgerIsNotBehind(ledger, sink, signer)

  const github = startGitHub({ ledger, clock: steady.clock, log, config: () => current })
  const world = { config, opened, signer, steady, github, log }
  const planes = config.workers === 1 ? await openPlanes(world) : await startWorkers(world)
  const { address } = planes
  log.info('broker.started', { address: `${address.host}:${address.port}`, version })
  warnOfRisks(config, log)
  const stopHousekeeping = startHousekeeping({ ledger, records, signer, sink, steady, config: () => current, log })

  const stop = async (graceMilliseconds: number) => {
    log.info('broker.stopping', { milliseconds: graceMilliseconds })
    await planes.close(graceMilliseconds)
    await github.stop()
    await stopHousekeeping()
    await opened.close()
    log.info('broker.stopped')
  }
  let stopped: Promise<void> | null = null
  return {
    address,
    async reload(next) {
      await planes.reload(next)
      current = next
      const fixed = needsRestart(config, next)
      if (fixed.length > 0) log.warn('config.needs_restart', { part: fixed })
      log.info('config.reloaded', { file: next.file })
      warnOfRisks(next, log)
    },
    close: (graceMilliseconds = GRACE_MILLISECONDS) => (stopped ??= stop(graceMilliseconds)),
  }
}

/** `till check` is not all that operators read. */
function warnOfRisks(config: Config, log: Log): void {
  for (const problem of risks(config)) log.warn('config.risky', { problem })
}
