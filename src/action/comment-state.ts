import type { NumericDate } from '#domain/numeric-date.ts'
import { MAX_ACTIVATIONS } from '#domain/policy.ts'
import { type JobRow, MOST_CODES, MOST_MODELS } from '#views/job-row.ts'
import { addUp, isRemarkable, type JobSums, sumsOf } from '#views/job-sums.ts'
import { endReason } from '#wire/receipt.ts'
import { integer, list, nullable, numericDate, object, record, type Shape, text } from '#wire/shape.ts'

/** Rows that a comment carries along. GitHub takes 65,536 characters, and a row is some 600 of them. */
export const MOST_CARRIED = 50
/** Sums that it carries along: one a commit. */
const MOST_COMMITS = 20
/** Jobs whose rows went into the sums, by what is kept of their names: the newest. A matrix has 256 at most. */
const MOST_NAMES = 512
/** What the view shows of one commit. */
const MOST_SUM_CODES = 20

/** What a comment knows of the jobs of its pull request. */
export interface Carried {
  /** The newest first. */
  readonly rows: readonly JobRow[]
  /** Of jobs that have no row: one a commit. */
  readonly sums: readonly CarriedSums[]
}

export interface CarriedSums extends JobSums {
  /** Of the newest of these jobs. */
  readonly minted_at: NumericDate
  /** The last characters of their key ids, so that a job that comes again is not counted again. */
  readonly names: readonly string[]
}

/**
 * What comments carry together, with one more job. A row that is in several is one; of the sums of one commit in two
 * comments that have jobs in common the larger counts.
 */
export function joined(comments: readonly Carried[], mine: JobRow): Carried {
  const sums: CarriedSums[] = []
  for (const sum of comments.flatMap((comment) => comment.sums)) {
    const at = sums.findIndex(({ sha }) => sha === sum.sha)
    const before = sums[at]
    if (!before) sums.push(sum)
    else if (!before.names.some((name) => sum.names.includes(name))) sums[at] = together([before, sum])
    else if (before.jobs < sum.jobs) sums[at] = sum
  }
  const counted = new Set(sums.flatMap(({ names }) => names))
  const byKey = new Map([...comments.flatMap((comment) => comment.rows), mine].map((row) => [row.key_id, row]))
  const rows = [...byKey.values()].filter((row) => !counted.has(nameOf(row))).sort(newestFirst)
  return { rows: rows.length > 0 ? rows : [mine], sums }
}

/**
 * The same with that many rows at most. Of the others only sums are left: first of those that nothing is to be said of,
 * the oldest first. The newest job keeps its row, by which the newest commit is known.
 */
export function summedUp({ rows, sums }: Carried, most: number): Carried {
  const [newest, ...others] = rows
  const commit = newest?.sha
  const rank = (row: JobRow) => (isRemarkable(row) ? 2 : 0) + (row.sha === commit ? 1 : 0)
  const kept = new Set([newest, ...others.sort((a, b) => rank(b) - rank(a) || newestFirst(a, b))].slice(0, most))
  const dropped = rows.filter((row) => !kept.has(row)).map(ofOne)
  const commits = new Map<string | null, CarriedSums[]>()
  // In this order: the names of those that may still be at work come before those that have long ended.
  for (const sum of [...dropped, ...sums]) commits.set(sum.sha, [...(commits.get(sum.sha) ?? []), sum])
  const all = [...commits.values()].map(together).sort((a, b) => b.minted_at - a.minted_at)
  const commitsApart = Math.min(MOST_COMMITS, most)
  const old = all.slice(commitsApart)
  let names = MOST_NAMES
  return {
    rows: rows.filter((row) => kept.has(row)),
    sums: [...all.slice(0, commitsApart), ...(old.length > 0 ? [{ ...together(old), sha: EARLIER }] : [])].map(
      (sum) => {
        const left = sum.names.slice(0, Math.max(0, names))
        names -= left.length
        return { ...sum, names: left }
      },
    ),
  }
}

/** Stands for the commits before those that are told apart. */
const EARLIER = ''

function together(sums: readonly CarriedSums[]): CarriedSums {
  const { refused, ...all } = addUp(sums)
  const most = Object.entries(refused).sort(([, a], [, b]) => b.requests - a.requests)
  return {
    ...all,
    refused: Object.fromEntries(most.slice(0, MOST_SUM_CODES)),
    minted_at: Math.max(...sums.map(({ minted_at }) => minted_at)),
    names: sums.flatMap(({ names }) => names).slice(0, MOST_NAMES),
  }
}

function ofOne(row: JobRow): CarriedSums {
  return { ...sumsOf([row]), minted_at: row.minted_at, names: [nameOf(row)] }
}

/** 62^8 of them. */
function nameOf({ key_id }: JobRow): string {
  return key_id.slice(-8)
}

function newestFirst(a: JobRow, b: JobRow): number {
  return b.minted_at - a.minted_at || (a.key_id < b.key_id ? -1 : 1)
}

/**
 * What a comment knows as lines that GitHub does not show: the next job reads from them what those before it wrote.
 * Base64url, so that nothing in them can end the line.
 */
export function carried({ rows, sums }: Carried): string {
  return [hidden('rows', rows), ...(sums.length > 0 ? [hidden('sums', sums)] : [])].join('\n')
}

function hidden(name: string, value: object): string {
  return `<!-- till:${name} ${Buffer.from(JSON.stringify(value)).toString('base64url')} -->`
}

/**
 * What a comment carries. Whoever may write to the repository may have changed it, so it is read like anything that
 * comes from outside: by its shape, or not at all.
 */
export function readCarried(body: string): Carried {
  return {
    rows: read(/<!-- till:rows ([A-Za-z0-9_-]{1,65536}) -->/, body, rows),
    sums: read(/<!-- till:sums ([A-Za-z0-9_-]{1,65536}) -->/, body, sums),
  }
}

function read<T>(line: RegExp, body: string, shape: Shape<T[]>): T[] {
  const encoded = line.exec(body)?.[1]
  if (encoded === undefined) return []
  try {
    return shape(JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')), '')
  } catch {
    return []
  }
}

const line = text(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{0,256}$/, 'a line of at most 256 characters')
const digits = text(/^[0-9]{1,20}$/, 'a number as text')
const count = integer(0, Number.MAX_SAFE_INTEGER)

const row: Shape<JobRow> = object(
  {
    key_id: line,
    policy: line,
    repository: line,
    run_id: digits,
    run_attempt: digits,
    check_run_id: nullable(digits),
    sha: nullable(line),
    workflow: nullable(line),
    limit: integer(1, MAX_ACTIVATIONS),
    used: integer(0, MAX_ACTIVATIONS),
    refused: record(/^[a-z_]{1,64}$/, count, MOST_CODES),
    minted_at: numericDate,
    expires_at: numericDate,
    ended_at: nullable(numericDate),
    end_reason: nullable(endReason),
    models: list(line, 0, MOST_MODELS),
    input_tokens: nullable(count),
    output_tokens: nullable(count),
  },
  {},
  'ignore',
)
const rows = list(row, 0, MOST_CARRIED)

const sum: Shape<CarriedSums> = object(
  {
    sha: nullable(line),
    jobs: count,
    used: count,
    limit: count,
    refused: record(/^[a-z_]{1,64}$/, object({ requests: count, jobs: count }, {}, 'ignore'), MOST_SUM_CODES),
    unclosed: count,
    alive: count,
    minted_at: numericDate,
    names: list(text(/^[^\u0000-\u001f]{0,8}$/, 'the end of a key id'), 0, MOST_NAMES),
  },
  {},
  'ignore',
)
const sums = list(sum, 0, MOST_COMMITS + 1)
