import type { AuditEvent } from '#domain/audit-event.ts'
import type { Ending } from '#domain/grant.ts'
import type { Store } from './transaction.ts'

export interface ForeignEnding {
  readonly id: string
  readonly ending: Ending
}

/** The endings that other processes have recorded since this one last looked. */
export function foreignEndings(store: Store): ForeignEnding[] {
  const version = dataVersion(store.sql)
  if (version === store.dataVersion) return []
  const rows = store
    .sql(`SELECT text FROM events WHERE no > ? AND text LIKE '%"type":"key.ended"%' ORDER BY no`)
    .all(store.lastEvent)
  store.lastEvent = lastEvent(store.sql)
  store.dataVersion = version
  return rows
    .map((row) => JSON.parse(String(row['text'])) as AuditEvent)
    .flatMap((event) =>
      event.type === 'key.ended' ? [{ id: event.chain, ending: { at: event.at, reason: event.reason } }] : [],
    )
}

export function lastEvent(sql: Store['sql']): number {
  return Number(sql('SELECT max(no) AS no FROM events').get()?.['no'] ?? 0)
}

export function dataVersion(sql: Store['sql']): number {
  return Number(sql('PRAGMA data_version').get()?.['data_version'])
}
