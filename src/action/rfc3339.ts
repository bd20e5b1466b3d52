import type { NumericDate } from '#domain/numeric-date.ts'

/** The second in which an instant falls, such as `2026-11-20T18:41:00Z` (RFC 3339). */
export function rfc3339(instant: NumericDate): string {
  return new Date(Math.floor(instant) * 1000).toISOString().replace('.000Z', 'Z')
}
