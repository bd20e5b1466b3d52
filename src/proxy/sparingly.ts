/** Milliseconds. */
const INTERVAL = 1_000

/**
 * For what may happen to thousands of requests at once: the first is told of at once, those that follow once a second.
 *
 * @param tell `count`: how often it happened since it was told last; `latest`: the last of them
 */
export function sparingly<T>(tell: (latest: T, count: number) => void): (one: T) => void {
  let count = 0
  let latest: T
  let timer: NodeJS.Timeout | null = null

  function flush(): void {
    timer = null
    if (count === 0) return
    tell(latest, count)
    count = 0
    timer = setTimeout(flush, INTERVAL).unref()
  }

  return (one) => {
    latest = one
    count++
    if (timer === null) flush()
  }
}
