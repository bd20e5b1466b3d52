import type { Clock } from '#broker/ports.ts'
import type { NumericDate } from '#domain/numeric-date.ts'

/** How far the machine's clock may go back before it is not believed. Seconds. */
export const MOST_BACKWARD_SECONDS = 5

/** A clock that time does not run backward on, whatever the machine's does (SECURITY, T35). */
export interface SteadyClock {
  readonly clock: Clock
  /** Whether the machine's clock was set back and has not been put right: what this one says is then counted, not read. */
  isBehind(): boolean
}

/**
 * @param wall the machine's clock
 * @param monotonic seconds since any instant, untouched by who sets the clock
 * @param log told once for each jump, by how many seconds
 * @param notBefore an instant that is over: what an older process of the same broker went by
 */
export function steadyClock(
  wall: Clock,
  monotonic: () => number,
  log: { wentBack(seconds: number): void; isRight(): void },
  notBefore: NumericDate = Number.NEGATIVE_INFINITY,
): SteadyClock {
  // Slewing moves both clocks alike, so that their difference changes only when somebody sets the one.
  let most = Math.max(wall(), notBefore) - monotonic()
  let isBehind = false
  const look = (): number => {
    const elapsed = monotonic()
    const now = wall()
    const behind = most - (now - elapsed)
    if (behind > MOST_BACKWARD_SECONDS) {
      if (!isBehind) log.wentBack(behind)
      isBehind = true
      return most + elapsed
    }
    if (isBehind) log.isRight()
    isBehind = false
    most = Math.max(most, now - elapsed)
    return now
  }
  return {
    clock: look,
    isBehind() {
      look()
      return isBehind
    },
  }
}
