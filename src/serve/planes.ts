import type { Log, Signer } from '#broker/ports.ts'
import { readiness } from '#broker/readiness.ts'
import type { Address, Config } from '#config.ts'
import { controlPlane } from '#control/app.ts'
import type { ControlOptions } from '#control/call.ts'
import { digest, randomBytes } from '#crypto/digest.ts'
import { tokenVerifier } from '#oidc/verify-id-token.ts'
import { dataPlane } from '#proxy/data-plane.ts'
import { publicListener } from '#proxy/listener.ts'
import { every } from './every.ts'
import { closeServer, listen } from './listening.ts'
import type { OpenLedger } from './open-ledger.ts'
import { readSettings } from './settings.ts'
import type { SteadyClock } from './steady-clock.ts'
import { version } from './version.ts'

/** What serves jobs on the public address: in this process, or in several. */
export interface Planes {
  readonly address: Address
  /** Replaces policies, providers, credentials and issuers. */
  reload(config: Config): Promise<void>
  /** No new requests; open streams may finish for that long. */
  close(graceMilliseconds: number): Promise<void>
}

/** For what the control plane is about to say when the broker stops. */
export const LAST_ANSWERS_MILLISECONDS = 2000
/** How often to look whether keys of an issuer are due; the verifier says when they are. */
const REFRESH_MILLISECONDS = 5000

/** Opens both planes in this process, and listens. */
export async function openPlanes({
  config,
  opened,
  signer,
  steady,
  github,
  log,
  isShared = false,
}: {
  readonly config: Config
  readonly opened: OpenLedger
  readonly signer: Signer
  readonly steady: SteadyClock
  readonly github: Pick<ControlOptions, 'webhook' | 'commentBy'>
  readonly log: Log
  /** Whether other workers listen on the same address. */
  readonly isShared?: boolean
}): Promise<Planes> {
  const { clock, isBehind } = steady
  const { ledger, records } = opened
  let settings = await readSettings(config, records, log)
  let isStopping = false

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
  const control = controlPlane({
    ...ports,
    ...github,
    publicUrl: config.publicUrl,
    audience: config.audience,
    version,
    stopping: () => isStopping,
    clockIsBehind: isBehind,
    unready: async () => (isStopping ? 'stopping' : isBehind() ? 'clock' : partThatFails()),
  })

  const server = publicListener(data, control)
  const address = await listen(server, config.listen, isShared)
  const stopRefreshing = every(
    REFRESH_MILLISECONDS,
    () => verifier.refresh(),
    () => log.error('issuer.refresh_failed'),
  )
  return {
    address,
    async reload(next) {
      settings = await readSettings(next, records, log)
    },
    async close(graceMilliseconds) {
      isStopping = true
      // Nothing is minted any more, and a silent issuer must not hold up the end.
      fetches.abort()
      await data.drain(graceMilliseconds)
      await closeServer(server, Math.min(graceMilliseconds, LAST_ANSWERS_MILLISECONDS))
      stopRefreshing()
    },
  }
}
