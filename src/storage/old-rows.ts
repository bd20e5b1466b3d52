import type { NumericDate } from '#domain/numeric-date.ts'

/** Rows that one transaction forgets. */
export const FORGET_ROWS = 500
const DAY = 86_400

/** What may be forgotten when it is old enough. */
export interface Forgettable {
  readonly table: string
  readonly key: string
  /** The column that says how old a row is. */
  readonly column: string
  /** What a row's column is below when it may be forgotten, by {@link timeToForget}. */
  before(now: NumericDate): number
}

/** The end of the newest ID token that has verified; `NULL` while there was none. */
export const NEWEST_TOKEN = 'SELECT max(expires_at) AS newest FROM used_tokens'

/**
 * The time by which things are old enough to be forgotten: not later than an issuer has vouched for. A clock that jumped
 * forward says that all is old, and what it had forgotten would be missed when it is set right: a job would get its
 * budget once more. By such a clock no ID token verifies, so the newest one stays that of the time before.
 *
 * @param newest what {@link NEWEST_TOKEN} found
 */
export function timeToForget(now: NumericDate, newest: unknown): NumericDate {
  return Math.min(now, Number(newest ?? 0))
}

/** Ages are far beyond need: an ID token is dead 10 minutes after it was made. */
export const forgettable: readonly Forgettable[] = [
  { table: 'used_tokens', key: 'digest', column: 'expires_at', before: (now) => now - DAY },
  {
    table: 'mint_minutes',
    key: 'repository_digest, minute',
    column: 'minute',
    before: (now) => Math.floor((now - DAY) / 60),
  },
  { table: 'ended_jobs', key: 'job_digest', column: 'ended_at', before: (now) => now - DAY },
  // A run lasts up to 35 days, and can be run again under the same id for 30 days.
  { table: 'allowances', key: 'policy, span', column: 'granted_at', before: (now) => now - 100 * DAY },
]

/** @param bound the placeholder of `before` */
export function forgetSql({ table, key, column }: Forgettable, bound: string): string {
  return `DELETE FROM ${table} WHERE (${key}) IN
    (SELECT ${key} FROM ${table} WHERE ${column} < ${bound} ORDER BY ${column} LIMIT ${FORGET_ROWS})`
}
