/** Something that is ready to be written. */
export interface Departure {
  /** Writes it. Must not throw: others wait behind it. */
  leave(): void
}

let waiting: Departure[] = []

/**
 * Has it leave with what else is ready, once the event loop has looked at everything that has arrived; with nothing else
 * at hand that is at once. A write to somebody who sleeps wakes them, which costs more than the write. Of several in a
 * row only the first one does, and while each was written as it came a fifth of all time went there
 * (docs/performance.md).
 */
export function leaveTogether(departure: Departure): void {
  if (waiting.push(departure) === 1) setImmediate(leave)
}

function leave(): void {
  const leaving = waiting
  waiting = []
  for (const departure of leaving) departure.leave()
}
