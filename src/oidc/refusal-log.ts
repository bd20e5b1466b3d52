import type { Clock, Log } from '#broker/ports.ts'
import type { NumericDate } from '#domain/numeric-date.ts'

/** The least time between two lines of the same reason and issuer. */
export const QUIET_SECONDS = 1

/**
 * Writes why tokens are refused. Anybody can send tokens, so a flood of them must not become a flood of lines: a line
 * tells how many refusals there were since the last one of its reason and issuer.
 *
 * @returns takes the reason, and the issuer only if it is a configured one, so that there are few kinds of lines
 */
export function refusalLog(log: Log, clock: Clock): (reason: string, issuer: string | null) => void {
  const kinds = new Map<string, { at: NumericDate; count: number }>()
  return (reason, issuer) => {
    const now = clock()
    const name = `${reason} ${issuer}`
    const kind = kinds.get(name) ?? { at: -Infinity, count: 0 }
    kinds.set(name, kind)
    kind.count++
    if (Math.abs(now - kind.at) < QUIET_SECONDS) return
    log.info('token.refused', { reason, issuer, count: kind.count })
    kind.at = now
    kind.count = 0
  }
}
