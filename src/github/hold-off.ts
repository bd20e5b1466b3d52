import type { NumericDate } from '#domain/numeric-date.ts'

/** GitHub has said that it wants no requests for a while. */
export class HeldOff extends Error {
  override readonly name = 'HeldOff'
  /** So that it is treated as GitHub's own answer would be. */
  readonly status = 429
  readonly until: NumericDate
  constructor(until: NumericDate) {
    super('rate limit')
    this.until = until
  }
}

/** What the answers of one installation said of its rate limit. */
export interface HoldOff {
  /** @throws {HeldOff} while no request may be made */
  check(now: NumericDate): void
  note(status: number, headers: Readonly<Record<string, unknown>>, now: NumericDate): void
}

/** Where GitHub names no time: "wait for at least one minute". */
const DEFAULT_SECONDS = 60
/** A limit is reset within the hour; anything longer is a mistake. */
const LONGEST_SECONDS = 3700

/**
 * Keeps to what GitHub asks of integrators: nothing is sent before `retry-after` is over, or while
 * `x-ratelimit-remaining` is 0 before `x-ratelimit-reset`. ("Best practices for using the REST API", GitHub Docs.)
 */
export function holdOff(): HoldOff {
  let until: NumericDate = 0
  return {
    check(now) {
      if (now < until) throw new HeldOff(until)
    },
    note(status, headers, now) {
      const number = (name: string) => (/^\d{1,12}$/.test(String(headers[name])) ? Number(headers[name]) : null)
      const isSpent = number('x-ratelimit-remaining') === 0
      const isRefused = (status === 403 || status === 429) && (isSpent || headers['retry-after'] !== undefined)
      if (!isSpent && !isRefused && status !== 429) return
      const after = number('retry-after')
      const reset = number('x-ratelimit-reset')
      const wanted = after !== null ? now + after : isSpent && reset !== null ? reset : now + DEFAULT_SECONDS
      until = Math.max(until, Math.min(wanted, now + LONGEST_SECONDS))
    },
  }
}
