import { recordable } from '#domain/audit-event.ts'
import type { NumericDate } from '#domain/numeric-date.ts'

/**
 * Rows under each other, each column as wide as its widest value. Values that a job chose cannot speak to the terminal:
 * control characters are replaced.
 */
export function columns(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(recordable))
  const widths = (clean[0] ?? []).map((_, i) => Math.max(...clean.map((row) => row[i]?.length ?? 0)))
  return clean.map((row) => `${row.map((value, i) => value.padEnd(widths[i]!)).join('  ')}`.trimEnd()).join('\n')
}

/** `2026-11-20 14:03:07Z` */
export function instant(at: NumericDate): string {
  return `${new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' ')}Z`
}
