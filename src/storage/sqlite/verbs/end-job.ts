import type { JobName } from '#domain/job-identity.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { jobDigest } from '#storage/mint-decision.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'

/** Ends the keys that a job has, and remembers that it is over. */
export function endJob(transaction: Transaction, job: JobName, now: NumericDate): string[] {
  const digest = jobDigest(job)
  transaction.sql('INSERT INTO ended_jobs VALUES (?, ?) ON CONFLICT DO NOTHING').run(digest, now)
  return transaction
    .sql('SELECT id FROM grants WHERE job_digest = ? AND replaced_by IS NULL')
    .all(digest)
    .map((row) => transaction.grant(String(row['id']), now))
    .filter((grant) => grant.ended === null)
    .map((grant) => {
      transaction.end(grant, 'job_completed', now)
      return grant.id
    })
}

export function jobHasEnded(transaction: Transaction, job: JobName): boolean {
  return transaction.sql('SELECT 1 FROM ended_jobs WHERE job_digest = ?').get(jobDigest(job)) !== undefined
}
