import type { AuditFact } from '#domain/audit-event.ts'

/** Keys that one transaction forgets at most, and events of theirs; a key with more goes alone, its chain is one. */
export const FORGET_KEYS = 50
export const FORGET_EVENTS = 2000

/** What the broker's chain keeps of a key that was forgotten. */
export function forgottenFact(key: string, events: number, head: string): AuditFact {
  return { type: 'operator.forget', operator: 'retention', key, events, head }
}
