import { isUnclosed } from '#domain/grant.ts'
import type { JobRow } from './job-row.ts'
import { code, table } from './markdown.ts'
import { count, ending, meaning } from './receipt.ts'

/** By this a comment is known as the one of Till, together with its author. GitHub does not show it. */
export const COMMENT_MARKER = '<!-- till:audit -->'

export interface CommentOptions {
  /** Where people look at runs, such as `https://github.com`. */
  readonly serverUrl: string
}

/**
 * What all jobs of a pull request, or of a commit, did with their keys: the verdict first, one row a job, what was
 * refused next, the rest folded. The jobs of the newest commit stand open, those of earlier ones are folded. Below
 * 48 KiB whatever the rows hold: GitHub takes 64 KiB. Values that a job chose are shown as code and cannot be anything
 * else.
 *
 * @param rows in any order; at least one
 */
export function commentMarkdown(rows: readonly JobRow[], options: CommentOptions): string {
  const newestFirst = rows.toSorted((a, b) => b.minted_at - a.minted_at || (a.key_id < b.key_id ? -1 : 1))
  const commit = newestFirst[0]!.sha
  const now = newestFirst.filter(({ sha }) => sha === commit)
  const earlier = newestFirst.filter(({ sha }) => sha !== commit)
  const parts = [
    `### Till: ${jobsVerdict(now)}`,
    jobTable(now.slice(0, MOST_ROWS), options),
    ...remainder(now.length - MOST_ROWS),
    ...unclosedNote(now),
    ...refusals(now),
    ...folded('Models and tokens', usage(now.slice(0, MOST_ROWS))),
    ...folded(`Earlier commits: ${plural(earlier.length, 'job')}`, [
      ...(earlier.length > 0 ? [jobTable(earlier.slice(0, MOST_EARLIER_ROWS), options)] : []),
      ...remainder(earlier.length - MOST_EARLIER_ROWS),
    ]),
  ]
  return `${parts.join('\n\n')}\n`
}

const MOST_ROWS = 50
const MOST_EARLIER_ROWS = 20

/** Whether there is anything that a person would want to read: nothing used, nothing refused and all closed is nothing. */
export function isWorthSaying(rows: readonly JobRow[]): boolean {
  return rows.some((row) => row.used > 0 || refusedOf(row) > 0 || isUnclosed(row.end_reason))
}

/** Such as `17 of 60 activations used by 3 jobs · 2 refused · all keys ended`. */
export function jobsVerdict(rows: readonly JobRow[]): string {
  const sum = (of: (row: JobRow) => number) => rows.reduce((total, row) => total + of(row), 0)
  const by = rows.length === 1 ? '' : ` by ${plural(rows.length, 'job')}`
  const alive = rows.filter(({ ended_at }) => ended_at === null).length
  const keys =
    rows.length === 1 ? ending(rows[0]!) : alive === 0 ? 'all keys ended' : `${plural(alive, 'key')} still alive`
  return `${count(sum(({ used }) => used))} of ${count(sum(({ limit }) => limit))} activations used${by} · ${count(sum(refusedOf))} refused · ${keys}`
}

function refusedOf({ refused }: JobRow): number {
  return Object.values(refused).reduce((total, times) => total + times, 0)
}

function jobTable(rows: readonly JobRow[], options: CommentOptions): string {
  return table(
    ['Job', 'Policy', 'Used', 'Refused', 'Key'],
    rows.map((row) => [
      jobLink(row, options),
      code(row.policy),
      `${count(row.used)} of ${count(row.limit)}`,
      count(refusedOf(row)),
      isUnclosed(row.end_reason) ? `⚠️ ${state(row)}` : state(row),
    ]),
  )
}

/** The table's column says that it is about the key. */
function state(row: JobRow): string {
  return ending(row).replace(/^key /, '')
}

/** Only what has the form of a name and a number becomes part of the address. */
function jobLink(row: JobRow, { serverUrl }: CommentOptions): string {
  const { repository, run_id, run_attempt, check_run_id, workflow } = row
  const name = check_run_id === null ? `run ${run_id}, attempt ${run_attempt}` : `job ${check_run_id}`
  const file = workflow === null ? '' : `${code(workflow)} `
  if (!REPOSITORY.test(repository) || ![run_id, run_attempt, check_run_id ?? '0'].every((id) => DIGITS.test(id)))
    return `${file}${code(name)}`
  const run = `${serverUrl}/${repository}/actions/runs/${run_id}`
  return `${file}[${name}](${check_run_id === null ? `${run}/attempts/${run_attempt}` : `${run}/job/${check_run_id}`})`
}

const REPOSITORY = /^[A-Za-z0-9_.-]{1,100}\/[A-Za-z0-9_.-]{1,100}$/
const DIGITS = /^[0-9]{1,20}$/

function unclosedNote(rows: readonly JobRow[]): string[] {
  const unclosed = rows.filter(({ end_reason }) => isUnclosed(end_reason)).length
  return unclosed === 0
    ? []
    : [
        `⚠️ ${plural(unclosed, 'key was', 'keys were')} not closed by the post step of the job: the broker ended what was left.`,
      ]
}

function refusals(rows: readonly JobRow[]): string[] {
  const codes = new Map<string, { requests: number; jobs: number }>()
  for (const { refused } of rows)
    for (const [name, requests] of Object.entries(refused)) {
      const { requests: before, jobs } = codes.get(name) ?? { requests: 0, jobs: 0 }
      if (requests > 0) codes.set(name, { requests: before + requests, jobs: jobs + 1 })
    }
  if (codes.size === 0) return []
  const shown = [...codes].sort(([, a], [, b]) => b.requests - a.requests).slice(0, 20)
  return [
    '#### Refused',
    table(
      ['Code', 'Requests', 'Jobs', 'Because'],
      shown.map(([name, { requests, jobs }]) => [code(name), count(requests), count(jobs), meaning(name)]),
    ),
    ...remainder(codes.size - shown.length),
  ]
}

function usage(rows: readonly JobRow[]): string[] {
  const used = rows.filter(({ used: times }) => times > 0)
  if (used.length === 0) return []
  return [
    table(
      ['Key', 'Models', 'Tokens in', 'Tokens out'],
      used.map(({ key_id, models, input_tokens, output_tokens }) => [
        code(key_id),
        models.length === 0 ? '–' : models.map(code).join(', '),
        input_tokens === null ? '–' : count(input_tokens),
        output_tokens === null ? '–' : count(output_tokens),
      ]),
    ),
  ]
}

function folded(title: string, parts: readonly string[]): string[] {
  if (parts.length === 0) return []
  return [`<details>\n<summary>${title}</summary>`, ...parts, '</details>']
}

function remainder(more: number): string[] {
  return more > 0 ? [`… and ${count(more)} more.`] : []
}

function plural(times: number, one: string, many = `${one}s`): string {
  return `${count(times)} ${times === 1 ? one : many}`
}
