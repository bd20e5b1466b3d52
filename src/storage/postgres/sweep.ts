import type { NumericDate } from '#domain/numeric-date.ts'
import { FORGET_ROWS, forgetSql, forgettable, NEWEST_TOKEN, timeToForget } from '#storage/old-rows.ts'
import { Draft } from './draft.ts'
import { lockDueGrants } from './open-grants.ts'
import type { Statements } from './transact.ts'
import { writeConsequences, writeDrafts } from './write-drafts.ts'

/** How many grants one transaction of the sweep looks at, so that charges need not wait long for it. */
const SWEEP_ROWS = 500

/** Ends what time has ended, a part at a time; what another replica has in hand is left to it. */
export async function sweep(
  statements: Statements,
  now: NumericDate,
): Promise<{ readonly ended: readonly Draft[]; readonly isDone: boolean }> {
  const due = (await lockDueGrants(statements, now, SWEEP_ROWS)).map((grant) => new Draft(grant))
  const ended = due.filter((draft) => draft.grant(draft.read.id, now).ended !== null)
  const later = due.filter((draft) => !ended.includes(draft))
  if (ended.length > 0) await writeDrafts(statements, ended)
  await writeConsequences(statements, ended)
  if (later.length > 0)
    await statements.query(
      `UPDATE grant_states AS stored SET due_at = later.due_at
        FROM unnest($1::bigint[], $2::float8[]) AS later (grant_no, due_at) WHERE stored.grant_no = later.grant_no`,
      [later.map(({ read }) => read.no), later.map(dueAt)],
    )
  return { ended, isDone: due.length < SWEEP_ROWS }
}

/** @returns whether nothing is left that may be forgotten */
export async function forgetOldRows(statements: Statements, now: NumericDate): Promise<boolean> {
  const [token] = await statements.query(NEWEST_TOKEN)
  const time = timeToForget(now, token?.['newest'])
  const forgotten = await Promise.all(
    forgettable.map((one) => statements.query(`${forgetSql(one, '$1')} RETURNING 1`, [one.before(time)])),
  )
  return forgotten.every((rows) => rows.length < FORGET_ROWS)
}

function dueAt({ read: { life, activeAt } }: Draft): NumericDate {
  return Math.min(life.expiresAt, activeAt + (life.idleAfterSeconds ?? Number.POSITIVE_INFINITY))
}
