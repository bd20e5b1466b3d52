import { url as inspectorUrl } from 'node:inspector'
import type { Ledger } from '#broker/ports.ts'
import { StartError } from './start-error.ts'

/** Whoever reaches an inspector reads every credential in memory (SECURITY, T39). */
export function inspectorIsClosed(): void {
  if (inspectorUrl() === undefined) return
  throw new StartError('Cannot start with an open inspector, since it shows every credential. Start without --inspect.')
}

/** How far the clock may stand behind what is on record. Seconds. */
const CLOCK_LEEWAY = 5

/** A clock that was set back would let ended keys live again (SECURITY, T35). */
export async function clockIsNotBehind(ledger: Ledger, now: number): Promise<void> {
  const [newest] = await ledger.list({ now, most: 1 })
  const recorded = newest ? Math.max(newest.grant.mintedAt, newest.state.activeAt) : 0
  if (recorded <= now + CLOCK_LEEWAY) return
  throw new StartError(
    `Cannot start: the clock says ${instant(now)}, and a key was used at ${instant(recorded)}. Set the clock right.`,
  )
}

const instant = (seconds: number) => new Date(seconds * 1000).toISOString()
