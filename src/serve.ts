import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { url as inspectorUrl } from 'node:inspector'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Clock, type Ledger, type Log, type Rules, StorageUnavailable } from '#broker/ports.ts'
import { readiness } from '#broker/readiness.ts'
import type { Address, Config } from '#config.ts'
import { controlPlane } from '#control/app.ts'
import { digest, randomBytes } from '#crypto/digest.ts'
import { checkMasterKey, MasterKeyError, masterKey } from '#crypto/master-key.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import { SealError, type Sealer, sealer } from '#crypto/seal.ts'
import { type Records, sealedRecords } from '#crypto/sealed-records.ts'
import { storedCredential } from '#crypto/stored-credentials.ts'
import { tokenVerifier } from '#oidc/verify-id-token.ts'
import { dataPlane } from '#proxy/data-plane.ts'
import { publicListener } from '#proxy/listener.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'

export { operatorLog } from '#audit/log.ts'
export type { GrantRow, Ledger, Log } from '#broker/ports.ts'

export interface Broker {
  /** Where it listens, such as `127.0.0.1:4100`: the real port when the configuration says 0. */
  readonly address: { readonly host: string; readonly port: number }
  /** Replaces policies, providers, credentials and issuers; what is fixed at start stays, and is named in the log. */
  reload(config: Config): Promise<void>
  /** No new requests; open streams may finish for that long (milliseconds, default 60,000); then all is closed. */
  close(graceMilliseconds?: number): Promise<void>
}

/** A broker that does not start. The message is for the operator. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/**
 * Starts a broker.
 *
 * @throws {StartError} with a sentence for the operator, when a start-up self-check fails; nothing listens then
 */
export async function serve(
  config: Config,
  { log, clock = systemClock }: { readonly log: Log; readonly clock?: Clock },
): Promise<Broker> {
  refuseInspector()
  const opened = await openLedger(config).catch(startError)
  try {
    return await start(config, { ...opened, log, clock })
  } catch (error) {
    await opened.close().catch(() => {})
    return startError(error)
  }
}

const GRACE_MILLISECONDS = 60_000
const SWEEP_MILLISECONDS = 1000
/** How often to look whether keys of an issuer are due; the verifier says when they are. */
const REFRESH_MILLISECONDS = 5000
/** For what the control plane is about to say when the broker stops. */
const LAST_ANSWERS_MILLISECONDS = 2000
/** How far the clock may stand behind what is on record. Seconds. */
const CLOCK_LEEWAY = 5

const systemClock: Clock = () => Date.now() / 1000
const version: string = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')).version

/** What a command of the operator opens beside a running broker, or without one. */
export interface OpenLedger {
  readonly ledger: Ledger
  /** The ledger's records, sealed under the master key. */
  readonly records: Records
  readonly seal: Sealer
  close(): Promise<void>
}

/** @throws {StorageUnavailable | MasterKeyError | SealError | StartError} with a sentence for the operator */
export async function openLedger({ storage, masterKey: given }: Config): Promise<OpenLedger> {
  if (storage.kind !== 'sqlite')
    throw new StartError('Cannot open PostgreSQL: this version of Till stores on SQLite only (storage: sqlite:…).')
  const ledger = await openSqliteLedger({ path: storage.path })
  try {
    const key = await masterKey(given, storage.path)
    const seal = await sealer(key)
    key.fill(0)
    const records = sealedRecords(ledger, seal)
    await checkMasterKey(records)
    const close = () => ledger.close().finally(() => seal.wipe())
    return { ledger, records, seal, close }
  } catch (error) {
    await ledger.close()
    throw error
  }
}

async function start(
  config: Config,
  world: OpenLedger & { readonly log: Log; readonly clock: Clock },
): Promise<Broker> {
  const { ledger, seal, records, close: closeLedger, log, clock } = world
  await refuseEarlierClock(ledger, clock())
  let settings = await readSettings(config, records, log)
  let stopping = false

  const rules = () => settings.rules
  const credentials = { read: (provider: string) => settings.credentials.get(provider) ?? null }
  const issuers = () => settings.config.issuers
  const verifier = tokenVerifier({ issuers, audience: () => config.audience, clock, log, records })
  const signer = await receiptSigner({ ledger, seal })
  const ports = { ledger, verifier, signer, credentials, rules, clock, random: randomBytes, digest, log }
  const partsAreReady = readiness({
    ...ports,
    issuers: () => issuers().length,
    issuersWithoutKeys: verifier.issuersWithoutKeys,
  })
  const data = dataPlane(ports)
  const control = controlPlane({
    ...ports,
    publicUrl: config.publicUrl,
    audience: config.audience,
    version,
    commentBy: 'action',
    stopping: () => stopping,
    unready: async () => (stopping ? 'stopping' : partsAreReady()),
  })

  const server = publicListener(data, control)
  ledger.onEnding((keyId, { reason }) => log.info('key.ended', { key_id: keyId, reason }))
  const address = await listen(server, config.listen)
  const stopTasks = [
    every(SWEEP_MILLISECONDS, () => ledger.sweep(clock()).catch(() => log.error('sweep.failed'))),
    every(REFRESH_MILLISECONDS, () => verifier.refresh()),
  ]
  void verifier.refresh()
  log.info('broker.started', { address: `${address.host}:${address.port}`, version })

  const stop = async (graceMilliseconds: number) => {
    stopping = true
    log.info('broker.stopping', { milliseconds: graceMilliseconds })
    await data.drain(graceMilliseconds)
    await closeServer(server, Math.min(graceMilliseconds, LAST_ANSWERS_MILLISECONDS))
    for (const stopTask of stopTasks) stopTask()
    await closeLedger()
    log.info('broker.stopped')
  }
  let stopped: Promise<void> | null = null
  return {
    address,
    async reload(next) {
      settings = await readSettings(next, records, log)
      const fixed = changedFixtures(config, next)
      if (fixed.length > 0) log.warn('config.needs_restart', { part: fixed })
      log.info('config.reloaded', { file: next.file })
      void verifier.refresh()
    },
    close: (graceMilliseconds = GRACE_MILLISECONDS) => (stopped ??= stop(graceMilliseconds)),
  }
}

/** What a reload replaces, all at once. */
interface Settings {
  readonly config: Config
  readonly rules: Rules
  readonly credentials: ReadonlyMap<string, string>
}

async function readSettings(config: Config, records: Records, log: Log): Promise<Settings> {
  const credentials = new Map<string, string>()
  for (const [name, source] of config.credentials) {
    const value = source.kind === 'value' ? source.value : await storedCredential(records, config.providers.get(name)!)
    if (value === null) log.warn('credential.missing', { provider: name })
    else credentials.set(name, value)
  }
  return { config, rules: { policies: config.policies, providers: config.providers }, credentials }
}

/** What stays as it was at the start, whatever a reloaded file says; under the names that it has in the file. */
const FIXTURES: readonly (readonly [name: string, value: (config: Config) => unknown])[] = [
  ['public_url', (config) => config.publicUrl],
  ['listen', (config) => config.listen],
  ['admin_listen', (config) => config.adminListen],
  ['storage', (config) => config.storage],
  ['master_key', (config) => config.masterKey],
]

function changedFixtures(running: Config, next: Config): string[] {
  return FIXTURES.filter(([, value]) => !isDeepStrictEqual(value(running), value(next))).map(([name]) => name)
}

function listen(server: Server, { host, port }: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.off('error', reject)
      resolve({ host, port: (server.address() as AddressInfo).port })
    })
  })
}

/** Answers that are being written get that long; connections without one are closed at once. */
async function closeServer(server: Server, milliseconds: number): Promise<void> {
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  const cut = setTimeout(() => server.closeAllConnections(), milliseconds)
  await new Promise((closed) => server.close(closed))
  clearInterval(idle)
  clearTimeout(cut)
}

/** Runs a task again and again, that long after it ended the last time. Keeps no process alive. */
function every(milliseconds: number, task: () => Promise<unknown>): () => void {
  let timer = setTimeout(run, milliseconds).unref()
  let isStopped = false
  async function run() {
    await task()
    if (!isStopped) timer = setTimeout(run, milliseconds).unref()
  }
  return () => {
    isStopped = true
    clearTimeout(timer)
  }
}

/** Whoever reaches an inspector reads every credential in memory (SECURITY, T39). */
function refuseInspector(): void {
  if (inspectorUrl() !== undefined)
    throw new StartError(
      'Cannot start with an open inspector, since it shows every credential. Start without --inspect.',
    )
}

/** A clock that was set back would let ended keys live again (SECURITY, T35). */
async function refuseEarlierClock(ledger: Ledger, now: number): Promise<void> {
  const [newest] = await ledger.list({ now, most: 1 })
  const recorded = newest ? Math.max(newest.grant.mintedAt, newest.state.activeAt) : 0
  if (recorded > now + CLOCK_LEEWAY)
    throw new StartError(
      `Cannot start: the clock says ${iso(now)}, and a key was used at ${iso(recorded)}. Set the clock right.`,
    )
}

const iso = (seconds: number) => new Date(seconds * 1000).toISOString()

/** Faults that an operator can do something about say so themselves; the others keep their stack. */
function startError(error: unknown): never {
  if (error instanceof StartError) throw error
  if (error instanceof StorageUnavailable || error instanceof MasterKeyError || error instanceof SealError)
    throw new StartError(error.message, { cause: error })
  const { code, syscall } = error as NodeJS.ErrnoException
  if (syscall === 'listen' || syscall === 'getaddrinfo')
    throw new StartError(`Cannot listen there: ${code}. Change listen:, or stop what uses the address.`, {
      cause: error,
    })
  throw error
}
