import type { NumericDate } from '#domain/numeric-date.ts'

/** Counts free requests by key in whole minutes. */
export interface FreeRate {
  /** @returns 0 when one more may pass, else the seconds until it may */
  wait(grantId: string, now: NumericDate): number
}

export function freeRate(mostPerMinute: number): FreeRate {
  const counts = new Map<string, number>()
  let minute = Number.NaN
  return {
    wait(grantId, now) {
      const current = Math.floor(now / 60)
      if (current !== minute) {
        minute = current
        counts.clear()
      }
      const count = (counts.get(grantId) ?? 0) + 1
      if (count > mostPerMinute) return Math.max(1, Math.ceil((current + 1) * 60 - now))
      counts.set(grantId, count)
      return 0
    },
  }
}
