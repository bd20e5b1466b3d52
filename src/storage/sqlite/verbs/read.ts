import { BROKER_CHAIN } from '#domain/audit-event.ts'
import type { GrantState } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { stateOf } from '#storage/grant-verbs/state.ts'
import type { Transaction } from '#storage/sqlite/transaction.ts'

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

/** The stored texts of grants, newest first. */
export function ofRefs(
  transaction: Transaction,
  filter: {
    readonly issuer: string
    readonly repositoryId: string
    readonly refs: readonly string[]
    readonly most: number
  },
): string[] {
  return transaction
    .sql(
      `SELECT terms FROM grants
        WHERE terms ->> '$.job.repositoryId' = :repositoryId
          AND terms ->> '$.job.claims.ref' IN (SELECT value FROM json_each(:refs))
          AND terms ->> '$.job.issuer' = :issuer AND replaced_by IS NULL
        ORDER BY no DESC LIMIT :most`,
    )
    .all({ ...filter, refs: JSON.stringify(filter.refs) })
    .map((row) => String(row['terms']))
}

/** The events that follow `after` in a chain, up to the next milestone or the end, as text and hash. */
export function events(transaction: Transaction, chain: string, after: number): { text: string; hash: string }[] {
  const no = chain === BROKER_CHAIN ? 0 : chainOf(transaction, chain)
  if (no === null) return []
  if (after === 0) transaction.writeCountedRefusals({ chain })
  transaction.save()
  const from = milestoneAfter(transaction, no, after) ?? endOf(transaction, no)
  if (!from || from.seq <= after) return []
  return transaction
    .sql(
      `WITH RECURSIVE page (no, seq, before, hash, text) AS (
          SELECT no, seq, before, hash, text FROM events WHERE no = :from
          UNION ALL
          SELECT events.no, events.seq, events.before, events.hash, events.text
            FROM page JOIN events ON events.no = page.before WHERE page.seq > :after + 1)
        SELECT text, lower(hex(hash)) AS hash FROM page ORDER BY seq`,
    )
    .all({ from: from.no, after }) as { text: string; hash: string }[]
}

interface Place {
  readonly no: number
  readonly seq: number
}

function milestoneAfter(transaction: Transaction, chain: number, after: number): Place | undefined {
  return transaction
    .sql('SELECT no, seq FROM events WHERE chain = ? AND seq > ? AND seq % 64 = 0 ORDER BY seq LIMIT 1')
    .get(chain, after) as Place | undefined
}

function endOf(transaction: Transaction, chain: number): Place | undefined {
  const end =
    chain === 0
      ? 'SELECT last_event FROM broker_chain WHERE ? = 0'
      : 'SELECT last_event FROM grant_states WHERE grant_no = ?'
  return transaction.sql(`SELECT no, seq FROM events WHERE no = (${end})`).get(chain) as Place | undefined
}

function chainOf(transaction: Transaction, id: string): number | null {
  const row = transaction.sql('SELECT no FROM grants WHERE id = ?').get(id)
  return row ? Number(row['no']) : null
}
