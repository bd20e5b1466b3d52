import type { CheckpointSink } from '#audit/checkpoint-sink.ts'
import { rollback } from '#audit/rollback.ts'
import type { Ledger, Signer } from '#broker/ports.ts'
import { verifyJws } from '#crypto/verify-receipt.ts'
import type { AuditEvent } from '#domain/audit-event.ts'
import { StartError } from './start-error.ts'

/** How far the clock may stand behind what is on record. Seconds. */
const CLOCK_LEEWAY = 5

/** Events that are looked at: the last may have the instant of an expiry that was seen late. */
const LAST_EVENTS = 64

/** They have the broker's own clock: an operator's act has that of the machine where the command ran. */
const USES: ReadonlySet<string> = new Set<AuditEvent['type']>(['key.minted', 'activation', 'request.finished'])

/** A clock that was set back would let ended keys live again (SECURITY, T35). */
export async function clockIsNotBehind(ledger: Ledger, now: number): Promise<void> {
  const [newest] = await ledger.list({ now, most: 1 })
  const events = (await ledger.newEvents(null, LAST_EVENTS)).map(({ text }) => JSON.parse(text) as AuditEvent)
  const uses = events.filter(({ type }) => USES.has(type)).map(({ at }) => at)
  const recorded = Math.max(newest?.state.activeAt ?? 0, ...uses)
  if (recorded <= now + CLOCK_LEEWAY) return
  throw new StartError(
    `Cannot start: the clock says ${instant(now)}, and a key was used at ${instant(recorded)}. Set the clock right. If it is right, and was wrong when that was written, start once with --accept-clock.`,
  )
}

/** A ledger that was put back to an earlier state would let activations be spent again (SECURITY, T38). */
export async function ledgerIsNotBehind(ledger: Ledger, sink: CheckpointSink | null, signer: Signer): Promise<void> {
  const sentence = await rollback(ledger, sink, (jws, type) => verifyJws(jws, signer.publicKeys(), type))
  if (sentence !== null) throw new StartError(sentence)
}

const instant = (seconds: number) => new Date(seconds * 1000).toISOString()
