import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkpointSink } from '#audit/checkpoint-sink.ts'
import { startCheckpoints } from '#audit/checkpoints.ts'
import type { Clock, Log } from '#broker/ports.ts'
import { readiness } from '#broker/readiness.ts'
import type { Address, Config } from '#config.ts'
import { controlPlane } from '#control/app.ts'
import { digest, randomBytes } from '#crypto/digest.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import { tokenVerifier } from '#oidc/verify-id-token.ts'
import { dataPlane } from '#proxy/data-plane.ts'
import { publicListener } from '#proxy/listener.ts'
import { every } from './serve/every.ts'
import { startGitHub } from './serve/github.ts'
import { closeServer, listen } from './serve/listening.ts'
import { type OpenLedger, openLedger } from './serve/open-ledger.ts'
import { ownSettings, processKeepsSecrets } from './serve/process-checks.ts'
import { clockIsNotBehind, ledgerIsNotBehind } from './serve/self-checks.ts'
import { needsRestart, readSettings } from './serve/settings.ts'
import { rethrowForOperator } from './serve/start-error.ts'
import { type SteadyClock, steadyClock } from './serve/steady-clock.ts'

export { exportChain, exportTrail } from '#audit/export-trail.ts'
export { operatorLog } from '#audit/log.ts'
export { makeCheckpoint } from '#audit/make-checkpoint.ts'
export { openExport } from '#audit/open-export.ts'
export { receiptOfChain } from '#audit/receipt-of-chain.ts'
export { type TrailReport, type VerifySignature, verifyTrail } from '#audit/verify-trail.ts'
export type { AuditTrail, GrantRow, Ledger, Log } from '#broker/ports.ts'
export { makeObjectsYoung } from './serve/collector.ts'
export { type OpenLedger, openLedger } from './serve/open-ledger.ts'
export { keepProcessPrivate } from './serve/process-checks.ts'
export { StartError } from './serve/start-error.ts'

export interface Broker {
  /** Where it listens, such as `127.0.0.1:4100`: the real port when the configuration says 0. */
  readonly address: Address
  /** Replaces policies, providers, credentials and issuers; what is fixed at start stays, and is named in the log. */
  reload(config: Config): Promise<void>
  /** No new requests; open streams may finish for that long (milliseconds, default 60,000); then all is closed. */
  close(graceMilliseconds?: number): Promise<void>
}

/**
 * Starts a broker.
 *
 * @param tools `clock`: the machine's, which need not run forward; `monotonic`: seconds that do
 * @throws {StartError} with a sentence for the operator, when a start-up self-check fails; nothing listens then
 */
export async function serve(
  config: Config,
  tools: { readonly log: Log; readonly clock?: Clock; readonly monotonic?: () => number },
): Promise<Broker> {
  processKeepsSecrets(ownSettings())
  const opened = await openLedger(config)
  try {
    const { log, clock: wall = systemClock, monotonic = tools.clock ?? sinceStart } = tools
    await clockIsNotBehind(opened.ledger, wall())
    const steady = steadyClock(wall, monotonic, {
      wentBack: (seconds) => log.error('clock.went_back', { milliseconds: Math.round(seconds * 1000) }),
      isRight: () => log.info('clock.is_right'),
    })
    return await start(config, opened, log, steady)
  } catch (error) {
    await opened.close().catch(() => {})
    return rethrowForOperator(error)
  }
}

const GRACE_MILLISECONDS = 60_000
/** For what the control plane is about to say when the broker stops. */
const LAST_ANSWERS_MILLISECONDS = 2000
const SWEEP_MILLISECONDS = 1000
/** How often keys are forgotten that ended long ago. */
const FORGET_MILLISECONDS = 60_000
/** How often to look whether keys of an issuer are due; the verifier says when they are. */
const REFRESH_MILLISECONDS = 5000

const systemClock: Clock = () => Date.now() / 1000
const sinceStart = () => performance.now() / 1000
const version: string = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')).version

/** Introduces the folders to each other. */
async function start(config: Config, opened: OpenLedger, log: Log, steady: SteadyClock): Promise<Broker> {
  const { clock, isBehind } = steady
  const { ledger, seal, records } = opened
  let settings = await readSettings(config, records, log)
  let isStopping = false

  const signer = await receiptSigner({ ledger, seal })
  const sink = config.audit.checkpoints && checkpointSink(config.audit.checkpoints)
  await ledgerIsNotBehind(ledger, sink, signer)

  const issuers = () => settings.config.issuers
  const fetches = new AbortController()
  const verifier = tokenVerifier({
    issuers,
    audience: () => config.audience,
    clock,
    log,
    records,
    signal: fetches.signal,
  })
  const ports = {
    ledger,
    verifier,
    signer,
    credentials: { read: (provider: string) => settings.credentials.get(provider) ?? null },
    rules: () => settings.rules,
    clock,
    random: randomBytes,
    digest,
    log,
  }
  const { issuersWithoutKeys } = verifier
  const partThatFails = readiness({ ...ports, issuers: () => issuers().length, issuersWithoutKeys })
  const data = dataPlane(ports)
  const github = startGitHub({ ledger, clock, log, config: () => settings.config })
  const control = controlPlane({
    ...ports,
    publicUrl: config.publicUrl,
    audience: config.audience,
    version,
    commentBy: github.commentBy,
    webhook: github.webhook,
    stopping: () => isStopping,
    clockIsBehind: isBehind,
    unready: async () => (isStopping ? 'stopping' : isBehind() ? 'clock' : partThatFails()),
  })

  ledger.onEnding((keyId, { reason }) => log.info('key.ended', { key_id: keyId, reason }))
  const server = publicListener(data, control)
  const address = await listen(server, config.listen)
  log.info('broker.started', { address: `${address.host}:${address.port}`, version })
  const stopSweeping = every(
    SWEEP_MILLISECONDS,
    () => ledger.sweep(clock()),
    () => log.error('sweep.failed'),
  )
  const stopForgetting = every(
    FORGET_MILLISECONDS,
    async () => {
      const { keysSeconds } = settings.config.retention
      if (keysSeconds === null || isBehind()) return
      const count = await ledger.forgetKeys(clock() - keysSeconds, clock())
      if (count > 0) log.info('keys.forgotten', { count })
    },
    () => log.error('sweep.failed'),
  )
  const stopRefreshing = every(
    REFRESH_MILLISECONDS,
    () => verifier.refresh(),
    () => log.error('issuer.refresh_failed'),
  )
  const checkpoints = startCheckpoints({ ledger, signer, clock, log, sink, everySeconds: config.audit.everySeconds })

  const stop = async (graceMilliseconds: number) => {
    isStopping = true
    // Nothing is minted any more, and a silent issuer must not hold up the end.
    fetches.abort()
    log.info('broker.stopping', { milliseconds: graceMilliseconds })
    await data.drain(graceMilliseconds)
    await closeServer(server, Math.min(graceMilliseconds, LAST_ANSWERS_MILLISECONDS))
    stopSweeping()
    stopForgetting()
    stopRefreshing()
    await github.stop()
    await checkpoints.stop()
    await opened.close()
    log.info('broker.stopped')
  }
  let stopped: Promise<void> | null = null
  return {
    address,
    async reload(next) {
      settings = await readSettings(next, records, log)
      const fixed = needsRestart(config, next)
      if (fixed.length > 0) log.warn('config.needs_restart', { part: fixed })
      log.info('config.reloaded', { file: next.file })
    },
    close: (graceMilliseconds = GRACE_MILLISECONDS) => (stopped ??= stop(graceMilliseconds)),
  }
}
