import type { JobName } from '#domain/job-identity.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { jobDigest } from '#storage/mint-decision.ts'
import { Draft } from './draft.ts'
import { lockJob } from './mint.ts'
import { lockGrants } from './open-grants.ts'
import type { Statements } from './transact.ts'
import { writeConsequences, writeDrafts } from './write-drafts.ts'

/** Ends the keys that a job has, and remembers that it is over. @returns the drafts of those it looked at */
export async function endJob(statements: Statements, job: JobName, now: NumericDate): Promise<EndedJob> {
  const digest = jobDigest(job)
  const [, , rows] = await Promise.all([
    lockJob(statements, job),
    statements.query('INSERT INTO ended_jobs VALUES ($1, $2) ON CONFLICT DO NOTHING', [digest, now]),
    statements.query('SELECT id FROM grants WHERE job_digest = $1 AND replaced_by IS NULL', [digest]),
  ])
  const grants = await lockGrants(
    statements,
    rows.map((row) => String(row['id'])),
  )
  const drafts = grants.map((grant) => new Draft(grant))
  const ended = drafts.filter((draft) => {
    const grant = draft.grant(draft.read.id, now)
    if (grant.ended) return false
    draft.end(grant, 'job_completed', now)
    return true
  })
  const changed = drafts.filter(({ isChanged }) => isChanged)
  if (changed.length > 0) await writeDrafts(statements, changed)
  await writeConsequences(statements, changed)
  return { drafts: changed, ids: ended.map(({ read }) => read.id) }
}

export interface EndedJob {
  readonly drafts: readonly Draft[]
  /** Of the grants that ended because the job is over. */
  readonly ids: readonly string[]
}
