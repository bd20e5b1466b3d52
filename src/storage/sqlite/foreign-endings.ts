import type { AuditEvent } from '#domain/audit-event.ts'
import type { GrantEnding } from '#storage/grant-transaction.ts'
import { dataVersion, lastEvent, type Store } from './store.ts'

/**
 * Looks whether another process has written since this one last looked. If so, what was read before is forgotten.
 *
 * @returns the endings that the other has recorded
 */
export function foreignEndings(store: Store): GrantEnding[] {
  const version = dataVersion(store.sql)
  if (version === store.dataVersion) return []
  const rows = store
    .sql(`SELECT text FROM events WHERE no > ? AND text LIKE '%"type":"key.ended"%' ORDER BY no`)
    .all(store.lastEvent)
  store.grants.clear()
  store.lastEvent = lastEvent(store.sql)
  store.dataVersion = version
  return rows
    .map((row) => JSON.parse(String(row['text'])) as AuditEvent)
    .flatMap((event) =>
      event.type === 'key.ended' ? [{ id: event.chain, ending: { at: event.at, reason: event.reason } }] : [],
    )
}
