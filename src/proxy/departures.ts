/** Something that is ready to be written. */
export interface Departure {
  /** Writes it. Must not throw: others wait behind it. */
  leave(): void
}

/** Milliseconds between two that are no crowd. */
const APART = 0.3

let waiting: Departure[] = []
/** When something left last. Milliseconds of `performance.now()`. */
let left = Number.NEGATIVE_INFINITY

/**
 * Has it leave with what else is ready, once the event loop has looked at everything that has arrived; at once, if
 * nothing has left for a while. A write to somebody who sleeps wakes them, which costs more than the write. Of several
 * in a row only the first one does, and while each was written as it came a fifth of all time went there
 * (docs/performance.md).
 */
export function leaveTogether(departure: Departure): void {
  if (waiting.length === 0) {
    const now = performance.now()
    if (now - left > APART) {
      left = now
      departure.leave()
      return
    }
    setImmediate(leave)
  }
  waiting.push(departure)
}

function leave(): void {
  const leaving = waiting
  waiting = []
  left = performance.now()
  for (const departure of leaving) departure.leave()
}
