import { StorageUnavailable } from '#broker/ports.ts'
import { settle } from '#broker/settle.ts'
import { recordable } from '#domain/audit-event.ts'
import { isKey } from '#domain/key.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import { providerOfTarget } from '#domain/target.ts'
import type { Exchange } from './exchange.ts'
import type { Plane } from './plane.ts'
import { presentedKey } from './presented-key.ts'

/** Refuses a request: with its key known, on record and with the key's numbers. */
export async function refuse(plane: Plane, exchange: Exchange, refused: Refusal): Promise<void> {
  const { grant, asked } = exchange
  if (grant && asked) {
    settle(plane, grant, {
      type: 'request.refused',
      code: refused.code,
      provider: asked.provider,
      route: recordable(asked.route),
      model: asked.model === null ? null : recordable(asked.model),
      count: 1,
    })
    exchange.used ??= (await plane.ledger.state(grant, plane.clock())).used
  }
  exchange.refuse(refused)
}

/**
 * Refuses a head that cannot be read in one way. Whose key it shows is looked up for the record alone, which does not
 * have the target: it may hold the key in a spelling that nobody would strike out.
 */
export async function refuseHead(plane: Plane, exchange: Exchange, refused: Refusal): Promise<void> {
  const { method, url, rawHeaders } = exchange.request
  const shown = presentedKey(rawHeaders)
  if (shown.kind === 'presented' && isKey(shown.text)) {
    exchange.grant = await plane.ledger.find(plane.digest(shown.text))
    exchange.asks(providerOfTarget(url!) ?? UNREADABLE, `${method} ${UNREADABLE}`)
  }
  await refuse(plane, exchange, refused)
}

const UNREADABLE = '(unreadable)'

/** A fault refuses. */
export function giveUp(plane: Plane, exchange: Exchange, error: unknown): void {
  const isOfLedger = error instanceof StorageUnavailable
  if (isOfLedger) plane.ledgerFailed(error.message)
  else logFault(plane, 'request.fault', error)
  exchange.cut(isOfLedger ? STORAGE_UNAVAILABLE : FAULT)
}

/** Only the class and code of an error: its message may hold what a client sent. */
export function logFault(plane: Pick<Plane, 'log'>, event: string, error: unknown): void {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  plane.log.error(event, { error: String(name), code: typeof code === 'string' ? code : null })
}

const STORAGE_UNAVAILABLE = refusal(
  'storage_unavailable',
  'The broker cannot write its ledger, so nothing was sent to the provider. Try again in a while; the log of the broker says more to its operator.',
)

/** Closed like the other, without saying what is not known to be true. */
const FAULT = refusal(
  'storage_unavailable',
  'Something in the broker failed, and its log names it. Try again in a while.',
)

export const STOPPING = refusal(
  'storage_unavailable',
  'The broker is stopping and admits no more requests. Try again in a while.',
)
