import { isUnclosed } from '#domain/grant.ts'
import type { JobRow } from './job-row.ts'

/** What several jobs of one commit did with their keys, added up. */
export interface JobSums {
  readonly sha: string | null
  readonly jobs: number
  readonly used: number
  readonly limit: number
  /** Refusal code → how many requests, and of how many jobs. */
  readonly refused: Readonly<Record<string, Refused>>
  /** Keys that the broker had to end. */
  readonly unclosed: number
  /** Keys that have not ended. */
  readonly alive: number
}

export interface Refused {
  readonly requests: number
  readonly jobs: number
}

export function sumsOf(rows: readonly JobRow[]): JobSums {
  return addUp(rows.map(sums))
}

/** Of one commit; that of the first is the sum's. */
export function addUp(parts: readonly JobSums[]): JobSums {
  const sum = (of: (part: JobSums) => number) => parts.reduce((total, part) => plus(total, of(part)), 0)
  const refused = new Map<string, Refused>()
  for (const part of parts)
    for (const [code, { requests, jobs }] of Object.entries(part.refused)) {
      const before = refused.get(code) ?? { requests: 0, jobs: 0 }
      refused.set(code, { requests: plus(before.requests, requests), jobs: plus(before.jobs, jobs) })
    }
  return {
    sha: parts[0]?.sha ?? null,
    jobs: sum(({ jobs }) => jobs),
    used: sum(({ used }) => used),
    limit: sum(({ limit }) => limit),
    refused: Object.fromEntries(refused),
    unclosed: sum(({ unclosed }) => unclosed),
    alive: sum(({ alive }) => alive),
  }
}

export function requestsRefused({ refused }: JobSums): number {
  return Object.values(refused).reduce((total, { requests }) => plus(total, requests), 0)
}

/** Whether a person would look for this row: something was refused, or the job's post step did not end its key. */
export function isRemarkable(row: JobRow): boolean {
  return requestsRefused(sums(row)) > 0 || isUnclosed(row.end_reason) || row.ended_at === null
}

function sums(row: JobRow): JobSums {
  const refused = Object.entries(row.refused).filter(([, requests]) => requests > 0)
  return {
    sha: row.sha,
    jobs: 1,
    used: row.used,
    limit: row.limit,
    refused: Object.fromEntries(refused.map(([code, requests]) => [code, { requests, jobs: 1 }])),
    unclosed: isUnclosed(row.end_reason) ? 1 : 0,
    alive: row.ended_at === null ? 1 : 0,
  }
}

/** A sum that was carried in a comment may have been changed there: it stays a number that can be read back. */
function plus(a: number, b: number): number {
  return Math.min(a + b, Number.MAX_SAFE_INTEGER)
}
