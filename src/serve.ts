import type { Clock, Log } from '#broker/ports.ts'
import type { Config } from '#config.ts'

export interface Broker {
  /** Where it listens, such as `127.0.0.1:4100`: the real port when the configuration says 0. */
  readonly address: { readonly host: string; readonly port: number }
  /** Replaces policies, providers, credentials and issuers; what is fixed at start stays, and is named in the log. */
  reload(config: Config): Promise<void>
  /** No new requests; open streams may finish for that long (milliseconds, default 60,000); then all is closed. */
  close(graceMilliseconds?: number): Promise<void>
}

/**
 * Starts a broker.
 *
 * @throws {StartError} with a sentence for the operator, when a start-up self-check fails; nothing listens then
 */
export declare function serve(config: Config, options: { readonly log: Log; readonly clock?: Clock }): Promise<Broker>
