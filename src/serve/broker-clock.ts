import type { Clock, Log } from '#broker/ports.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { type SteadyClock, steadyClock } from './steady-clock.ts'

/** The machine's. */
export const systemClock: Clock = () => Date.now() / 1000
/** Seconds, whoever sets the machine's clock. */
export const sinceStart = () => performance.now() / 1000

/**
 * The clock that a broker goes by; jumps of the machine's are logged.
 *
 * @param options `wall` and `monotonic`: the machine's unless said; `notBefore`: see {@link steadyClock}
 */
export function brokerClock(
  log: Log,
  options: { readonly wall?: Clock; readonly monotonic?: () => number; readonly notBefore?: NumericDate } = {},
): SteadyClock {
  const { wall = systemClock, monotonic = sinceStart, notBefore } = options
  const told = {
    wentBack: (seconds: number) => log.error('clock.went_back', { milliseconds: Math.round(seconds * 1000) }),
    isRight: () => log.info('clock.is_right'),
  }
  return steadyClock(wall, monotonic, told, notBefore)
}
