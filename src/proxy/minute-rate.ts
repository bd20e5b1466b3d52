import type { NumericDate } from '#domain/numeric-date.ts'

/** Counts what a key does without being charged, in whole minutes. */
export interface MinuteRate {
  /** @returns 0 when one more may pass, else the seconds until it may */
  wait(grantId: string, now: NumericDate): number
  /** One more has passed. */
  take(grantId: string, now: NumericDate): void
}

export function minuteRate(mostPerMinute: number): MinuteRate {
  const counts = new Map<string, number>()
  let minute = Number.NaN
  const countOf = (grantId: string, now: NumericDate) => {
    const current = Math.floor(now / 60)
    if (current !== minute) {
      minute = current
      counts.clear()
    }
    return counts.get(grantId) ?? 0
  }
  return {
    wait: (grantId, now) =>
      countOf(grantId, now) < mostPerMinute ? 0 : Math.max(1, Math.ceil((Math.floor(now / 60) + 1) * 60 - now)),
    take: (grantId, now) => void counts.set(grantId, countOf(grantId, now) + 1),
  }
}
