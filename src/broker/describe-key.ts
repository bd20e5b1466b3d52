import type { Grant, GrantState } from '#domain/grant.ts'
import type { Refusal } from '#domain/refusal.ts'
import { findByKey, isRefusal, KEY_INVALID } from './find-grant.ts'
import type { Ports } from './ports.ts'

/** A key that lives. Its budget may be spent: that is a state of the counter, not an ending. */
export interface LivingKey {
  readonly kind: 'living'
  readonly grant: Grant
  readonly state: GrantState
}

/** What a key may still do. Spends nothing, and does not count as activity. */
export async function describeKey(
  broker: Pick<Ports, 'ledger' | 'digest' | 'clock'>,
  key: string,
): Promise<LivingKey | Refusal> {
  const grant = await findByKey(broker, key)
  if (isRefusal(grant)) return grant
  const state = await broker.ledger.state(grant, broker.clock())
  if (state.ended) return KEY_INVALID
  return { kind: 'living', grant, state }
}
