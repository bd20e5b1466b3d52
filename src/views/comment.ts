import { isUnclosed } from '#domain/grant.ts'
import type { JobRow } from './job-row.ts'
import { addUp, isRemarkable, type JobSums, requestsRefused, sumsOf } from './job-sums.ts'
import { code, table } from './markdown.ts'
import { count, ending, meaning } from './receipt.ts'

/** By this a comment is known as the one of Till, together with its author. GitHub does not show it. */
export const COMMENT_MARKER = '<!-- till:audit -->'

export interface CommentOptions {
  /** Where people look at runs, such as `https://github.com`. */
  readonly serverUrl: string
  /** Jobs beside those of the rows: they count like them, and have no row. */
  readonly beside?: readonly JobSums[]
}

/**
 * What all jobs of a pull request, or of a commit, did with their keys: the verdict first, one row a job, what was
 * refused next, the rest folded. The jobs of the newest commit stand open, those of earlier ones are folded. Where not
 * every job can have a row, those that nothing is to be said of go without. Below 48 KiB whatever the rows hold: GitHub
 * takes 64 KiB. Values that a job chose are shown as code and cannot be anything else.
 *
 * @param rows in any order; at least one
 */
export function commentMarkdown(rows: readonly JobRow[], options: CommentOptions): string {
  const newestFirst = rows.toSorted((a, b) => b.minted_at - a.minted_at || (a.key_id < b.key_id ? -1 : 1))
  const commit = newestFirst[0]!.sha
  const now = newestFirst.filter(({ sha }) => sha === commit)
  const earlier = newestFirst.filter(({ sha }) => sha !== commit)
  const beside = options.beside ?? []
  const all = addUp([sumsOf(now), ...beside.filter(({ sha }) => sha === commit)])
  const allEarlier = addUp([sumsOf(earlier), ...beside.filter(({ sha }) => sha !== commit)])
  const shown = remarkableFirst(now, MOST_ROWS)
  const shownEarlier = remarkableFirst(earlier, MOST_EARLIER_ROWS)
  const parts = [
    `### Till: ${all.jobs === 1 ? jobsVerdict(now) : sumsVerdict(all)}`,
    jobTable(shown, options),
    ...remainder(all, sumsOf(shown)),
    ...unclosedNote(all),
    ...refusals(all),
    ...folded('Models and tokens', usage(shown)),
    ...folded(`Earlier commits: ${plural(allEarlier.jobs, 'job')}`, [
      ...(shownEarlier.length > 0 ? [jobTable(shownEarlier, options)] : []),
      ...remainder(allEarlier, sumsOf(shownEarlier)),
    ]),
  ]
  return `${parts.join('\n\n')}\n`
}

/** In the order in which they came. */
function remarkableFirst(rows: readonly JobRow[], most: number): readonly JobRow[] {
  if (rows.length <= most) return rows
  const chosen = new Set([...rows.filter(isRemarkable), ...rows.filter((row) => !isRemarkable(row))].slice(0, most))
  return rows.filter((row) => chosen.has(row))
}

const MOST_ROWS = 50
const MOST_EARLIER_ROWS = 20

/** Whether there is anything that a person would want to read: nothing used, nothing refused and all closed is nothing. */
export function isWorthSaying(rows: readonly JobRow[]): boolean {
  const { used, unclosed, ...sums } = sumsOf(rows)
  return used > 0 || unclosed > 0 || requestsRefused({ used, unclosed, ...sums }) > 0
}

/** Such as `17 of 60 activations used by 3 jobs · 2 refused · all keys ended`. */
export function jobsVerdict(rows: readonly JobRow[]): string {
  const [only, ...others] = rows
  return sumsVerdict(sumsOf(rows), only && others.length === 0 ? ending(only) : undefined)
}

function sumsVerdict(
  sums: JobSums,
  keys = sums.alive === 0 ? 'all keys ended' : `${plural(sums.alive, 'key')} still alive`,
) {
  const by = sums.jobs === 1 ? '' : ` by ${plural(sums.jobs, 'job')}`
  return `${count(sums.used)} of ${count(sums.limit)} activations used${by} · ${count(requestsRefused(sums))} refused · ${keys}`
}

function jobTable(rows: readonly JobRow[], options: CommentOptions): string {
  return table(
    ['Job', 'Policy', 'Used', 'Refused', 'Key'],
    rows.map((row) => [
      jobLink(row, options),
      code(row.policy),
      `${count(row.used)} of ${count(row.limit)}`,
      count(requestsRefused(sumsOf([row]))),
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

function unclosedNote({ unclosed }: JobSums): string[] {
  return unclosed === 0
    ? []
    : [
        `⚠️ ${plural(unclosed, 'key was', 'keys were')} not closed by the post step of the job: the broker ended what was left.`,
      ]
}

function refusals({ refused }: JobSums): string[] {
  const codes = Object.entries(refused)
  if (codes.length === 0) return []
  const shown = codes.sort(([, a], [, b]) => b.requests - a.requests).slice(0, 20)
  return [
    '#### Refused',
    table(
      ['Code', 'Requests', 'Jobs', 'Because'],
      shown.map(([name, { requests, jobs }]) => [code(name), count(requests), count(jobs), meaning(name)]),
    ),
    ...(codes.length > shown.length ? [`… and ${count(codes.length - shown.length)} more.`] : []),
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

/** What is said of the jobs that have no row. */
function remainder(all: JobSums, shown: JobSums): string[] {
  const [jobs, refused] = [all.jobs - shown.jobs, requestsRefused(all) - requestsRefused(shown)]
  if (jobs === 0) return []
  return [refused > 0 ? `… and ${count(jobs)} more, with ${count(refused)} refused.` : `… and ${count(jobs)} more.`]
}

function plural(times: number, one: string, many = `${one}s`): string {
  return `${count(times)} ${times === 1 ? one : many}`
}
