import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock, Credentials, Ledger, Log, Random, Rules } from '#broker/ports.ts'

export interface DataPlaneOptions {
  readonly ledger: Ledger
  /** The configuration as it is now; asked once per request. */
  readonly rules: () => Rules
  readonly credentials: Credentials
  readonly clock: Clock
  readonly random: Random
  /** SHA-256. */
  readonly digest: (text: string) => Uint8Array
  readonly log: Log
  /** For tests; the defaults are the contract's. */
  readonly limits?: Partial<DataPlaneLimits>
}

/** Bytes and milliseconds, unless said otherwise. */
export interface DataPlaneLimits {
  readonly targetBytes: number
  readonly bodyBytes: number
  readonly checkedBodyBytes: number
  readonly bodyIdle: number
  readonly connect: number
  readonly firstByte: number
  readonly streamIdle: number
  /** Requests. */
  readonly freePerMinute: number
}

export interface DataPlane {
  /** Takes a request whose target begins with `/proxy/`. */
  handle(request: IncomingMessage, response: ServerResponse): void
  /** Answers 426 to every upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex): void
  /** Refuses what comes, lets what is open finish for that long, then cuts it. Resolves when nothing is open. */
  drain(milliseconds: number): Promise<void>
}

export declare function dataPlane(options: DataPlaneOptions): DataPlane
