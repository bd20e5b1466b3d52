import { setTimeout as pause } from 'node:timers/promises'
import type { Answer, Failure } from './answer.ts'

/** Seconds between two tries when the answer does not name a time. */
const PAUSE_SECONDS = 1

/**
 * Asks, and asks once more if the answer was lost or says that a second try may help.
 *
 * @param deadline when all must be over, on `performance.now()`'s scale. No second try begins after it
 * @param ask one try; `left` gives the milliseconds that it may take from then on
 */
export async function repeatOnce<T>(
  deadline: number,
  ask: (left: () => number) => Promise<Answer<T>>,
): Promise<Answer<T>> {
  const left = () => Math.max(1, Math.floor(deadline - performance.now()))
  const first = await ask(left)
  if (first.kind === 'ok' || !isWorthASecondTry(first)) return first
  const wait = ((first.kind === 'refused' ? first.retryAfter : null) ?? PAUSE_SECONDS) * 1000
  if (wait + PAUSE_SECONDS * 1000 > left()) return first
  await pause(wait)
  return ask(left)
}

/** Of the 4xx only 408 and 429: the others say that the request itself is wrong. */
export function isWorthASecondTry(failure: Failure): boolean {
  if (failure.kind === 'unreachable') return true
  return failure.kind === 'refused' && (failure.status >= 500 || failure.status === 408 || failure.status === 429)
}
