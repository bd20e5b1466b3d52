import { BROKER_CHAIN } from '#domain/audit-event.ts'
import type { GrantState } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { OpenGrant, Transaction } from '#storage/sqlite/transaction.ts'

/** The stored text of the grant with this key digest. */
export function find(transaction: Transaction, keyDigest: Uint8Array): string | null {
  return termsOf(transaction.sql('SELECT terms FROM grants WHERE key_digest = ?').get(keyDigest))
}

export function findById(transaction: Transaction, id: string): string | null {
  return termsOf(transaction.sql('SELECT terms FROM grants WHERE id = ?').get(id))
}

export function state(transaction: Transaction, id: string, now: NumericDate): GrantState {
  return stateOf(transaction.grant(id, now))
}

export function list(
  transaction: Transaction,
  filter: { readonly alive?: boolean; readonly now: NumericDate; readonly most?: number },
): { terms: string; state: GrantState }[] {
  const rows = transaction.sql(LISTS[String(filter.alive) as keyof typeof LISTS]).all({
    now: filter.now,
    most: filter.most ?? DEFAULT_MOST,
  })
  return rows.map((row) => ({
    terms: String(row['terms']),
    state: stateOf(transaction.grant(String(row['id']), filter.now)),
  }))
}

const DEFAULT_MOST = 1000
const IS_ALIVE = 'ended_at IS NULL AND expires_at > :now AND (idle_after IS NULL OR active_at + idle_after > :now)'
const SELECT = 'SELECT id, terms FROM grants JOIN grant_states ON grant_no = no'
const NEWEST_FIRST = 'ORDER BY no DESC LIMIT :most'
const LISTS = {
  undefined: `${SELECT} WHERE :now IS NOT NULL ${NEWEST_FIRST}`,
  true: `${SELECT} WHERE ${IS_ALIVE} ${NEWEST_FIRST}`,
  false: `${SELECT} WHERE NOT (${IS_ALIVE}) ${NEWEST_FIRST}`,
} as const

/** Events of a chain that one answer of the worker carries. */
const PAGE = 500

/** The events that follow `after` in a chain, at most a page of them, as text and hash. */
export function events(transaction: Transaction, chain: string, after: number): { text: string; hash: string }[] {
  const no = chain === BROKER_CHAIN ? 0 : chainOf(transaction, chain)
  if (no === null) return []
  if (after === 0) transaction.writeCountedRefusals({ chain })
  return transaction
    .sql(`SELECT text, lower(hex(hash)) AS hash FROM events WHERE chain = ? AND seq > ? ORDER BY seq LIMIT ${PAGE}`)
    .all(no, after) as { text: string; hash: string }[]
}

function chainOf(transaction: Transaction, id: string): number | null {
  const row = transaction.sql('SELECT no FROM grants WHERE id = ?').get(id)
  return row ? Number(row['no']) : null
}

function termsOf(row: Record<string, unknown> | undefined): string | null {
  return row ? String(row['terms']) : null
}

function stateOf({ used, givenBack, activeAt, ended }: OpenGrant): GrantState {
  return { used, givenBack, activeAt, ended }
}
