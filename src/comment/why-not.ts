import { NotKept, Removed, statusOf } from './keep-comment.ts'

/**
 * Why a comment could not be written, as one goes on after `because `. Says nothing that GitHub's answer chose.
 *
 * @param permission what the writer needs
 */
export function whyNot(error: unknown, permission: string): string {
  const status = statusOf(error)
  const message = error instanceof Error ? error.message : ''
  if (error instanceof NotKept || error instanceof Removed) return error.message
  if (status === 429 || (status === 403 && /rate limit/i.test(message))) return "GitHub's rate limit is reached"
  if (isLocked(error)) return 'its conversation is locked'
  if (status === 401) return 'GitHub does not accept the token'
  if (status === 403) return `GitHub does not allow it: ${permission}`
  if (status === 404 || status === 410) return `there is no such pull request, or it is not shown: ${permission}`
  if (status === 422) return 'GitHub does not take the comment (status 422)'
  return status === null || status === 500 ? 'GitHub did not answer' : `GitHub answered with status ${status}`
}

/** Whether the same may well work a little later. */
export function isPassing(error: unknown): boolean {
  const status = statusOf(error)
  if (error instanceof NotKept) return true
  // Whoever removed it would have to do so again and again.
  if (error instanceof Removed) return false
  if (status === 403) return /rate limit/i.test(error instanceof Error ? error.message : '')
  return status === null || status === 429 || status >= 500
}

/** Whether it says something of one pull request or commit, and nothing of others in the repository. */
export function isOfOnePlace(error: unknown): boolean {
  return isLocked(error) || error instanceof Removed || [404, 410, 422].includes(statusOf(error) ?? 0)
}

function isLocked(error: unknown): boolean {
  return statusOf(error) === 403 && /\blocked\b/i.test(error instanceof Error ? error.message : '')
}
