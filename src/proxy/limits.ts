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
  /** Requests whose activation was given back: they cost nothing, and each writes two events. */
  readonly givenBackPerMinute: number
  /** Checked bodies in memory, of all keys together. Those of one key may be an eighth of it. */
  readonly checkedBytesAtOnce: number
}

/** Those of the contract, section 9. */
export const DEFAULT_LIMITS: DataPlaneLimits = {
  targetBytes: 4096,
  bodyBytes: 32 * 1_048_576,
  checkedBodyBytes: 8 * 1_048_576,
  bodyIdle: 30_000,
  connect: 10_000,
  firstByte: 600_000,
  streamIdle: 300_000,
  freePerMinute: 600,
  givenBackPerMinute: 600,
  checkedBytesAtOnce: 512 * 1_048_576,
}
