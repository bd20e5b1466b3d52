import type { Job } from './job-identity.ts'

/** The pull request whose merge a job ran on: `refs/pull/5/merge` → 5. `null`: its ref tells of none. */
export function pullRequestOf({ claims }: Pick<Job, 'claims'>): number | null {
  const digits = /^refs\/pull\/([1-9][0-9]{0,9})\/(?:merge|head)$/.exec(claims['ref'] ?? '')?.[1]
  return digits === undefined ? null : Number(digits)
}

/** The refs on which jobs of a pull request run: its merge, its head, and the branch that it asks to merge. */
export function refsOfPullRequest(number: number, branch: string | null): string[] {
  const refs = [`refs/pull/${number}/merge`, `refs/pull/${number}/head`]
  return branch === null || branch === '' ? refs : [...refs, `refs/heads/${branch}`]
}
