import type { NumericDate } from '#domain/numeric-date.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'

/** Rows that one transaction forgets. */
const FORGET_ROWS = 500
const DAY = 86_400

/**
 * What may be forgotten, and how old it must be (seconds). Far beyond need, so that a clock which jumped forward for a
 * while has not opened a door: an ID token is dead 10 minutes after it was made.
 */
const FORGETTABLE: readonly { readonly sql: string; readonly age: number }[] = [
  {
    sql: `DELETE FROM used_tokens WHERE digest IN
      (SELECT digest FROM used_tokens WHERE expires_at < ? ORDER BY expires_at LIMIT ${FORGET_ROWS})`,
    age: DAY,
  },
  {
    sql: `DELETE FROM mint_minutes WHERE (repository_digest, minute) IN
      (SELECT repository_digest, minute FROM mint_minutes WHERE minute < ? / 60 LIMIT ${FORGET_ROWS})`,
    age: DAY,
  },
  {
    sql: `DELETE FROM ended_jobs WHERE job_digest IN
      (SELECT job_digest FROM ended_jobs WHERE ended_at < ? ORDER BY ended_at LIMIT ${FORGET_ROWS})`,
    age: DAY,
  },
  // A run lasts up to 35 days, and can be run again under the same id for 30 days.
  {
    sql: `DELETE FROM allowances WHERE (policy, span) IN
      (SELECT policy, span FROM allowances WHERE granted_at < ? LIMIT ${FORGET_ROWS})`,
    age: 100 * DAY,
  },
]

/** @returns whether nothing is left that may be forgotten */
export function forgetOldRows(transaction: Transaction, now: NumericDate): boolean {
  return FORGETTABLE.map(({ sql, age }) => Number(transaction.sql(sql).run(now - age).changes) < FORGET_ROWS).every(
    Boolean,
  )
}

/** Changes something, so that the commit has to reach the disk. */
export function probe(transaction: Transaction): void {
  transaction.sql('UPDATE probes SET writes = writes + 1').run()
}

/** What is to be done before the worker ends. */
export function close(transaction: Transaction): void {
  transaction.writeCountedRefusals('all')
}
