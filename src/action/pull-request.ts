import { readFileSync } from 'node:fs'

/** The pull request that the job's event is about; `null` when it is about none. */
export function pullRequestNumber(): number | null {
  try {
    const { pull_request, issue } = JSON.parse(readFileSync(process.env['GITHUB_EVENT_PATH'] ?? '', 'utf8'))
    const number: unknown = pull_request?.number ?? (issue?.pull_request ? issue.number : null)
    return Number.isSafeInteger(number) && (number as number) > 0 ? (number as number) : null
  } catch {
    return null
  }
}
