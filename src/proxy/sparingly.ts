/** Milliseconds. */
const INTERVAL = 1_000

/**
 * For what may happen to thousands of requests at once: the first is told of at once, those that follow once a second.
 *
 * @param tell `count`: how often it happened since it was told last; `reason`: the latest
 */
export function sparingly(tell: (reason: string, count: number) => void): (reason: string) => void {
  let count = 0
  let latest = ''
  let timer: NodeJS.Timeout | null = null

  function flush(): void {
    timer = null
    if (count === 0) return
    tell(latest, count)
    count = 0
    timer = setTimeout(flush, INTERVAL).unref()
  }

  return (reason) => {
    latest = reason
    count++
    if (timer === null) flush()
  }
}
