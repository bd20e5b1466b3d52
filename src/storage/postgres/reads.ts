import { BROKER_CHAIN } from '#domain/audit-event.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { Statements } from './transact.ts'

/** The stored text of the grant with this key digest. */
export async function termsByKey(statements: Statements, keyDigest: Uint8Array): Promise<string | null> {
  const [row] = await statements.query('SELECT terms FROM grants WHERE key_digest = $1', [keyDigest])
  return row ? String(row['terms']) : null
}

export async function termsById(statements: Statements, id: string): Promise<string | null> {
  const [row] = await statements.query('SELECT terms FROM grants WHERE id = $1', [id])
  return row ? String(row['terms']) : null
}

/** The stored texts of grants of these refs, newest first; not of those that were replaced. */
export async function termsOfRefs(
  statements: Statements,
  refDigests: readonly (Uint8Array | null)[],
  most: number,
): Promise<string[]> {
  const rows = await statements.query(
    `SELECT terms FROM grants WHERE ref_digest = ANY($1::bytea[]) AND replaced_by IS NULL ORDER BY no DESC LIMIT $2`,
    [refDigests, most],
  )
  return rows.map((row) => String(row['terms']))
}

/** Ids and stored texts, newest first. */
export async function list(
  statements: Statements,
  filter: { readonly alive?: boolean; readonly now: NumericDate; readonly most?: number },
): Promise<{ readonly id: string; readonly terms: string }[]> {
  const rows = await statements.query(
    `SELECT id, terms FROM grants JOIN grant_states ON grant_no = no
      WHERE $1::boolean IS NULL
        OR $1 = (ended_at IS NULL AND expires_at > $2 AND (idle_after IS NULL OR active_at + idle_after > $2))
      ORDER BY no DESC LIMIT $3`,
    [filter.alive ?? null, filter.now, filter.most ?? DEFAULT_MOST],
  )
  return rows as { id: string; terms: string }[]
}

const DEFAULT_MOST = 1000
/** Events that one statement reads. */
const PAGE = 500

/** The events that follow `after` in a chain, as text and hash; some, or none at the end. */
export async function eventsAfter(
  statements: Statements,
  chain: string,
  after: number,
): Promise<{ readonly text: string; readonly hash: string }[]> {
  const rows = await statements.query(
    `SELECT text, encode(hash, 'hex') AS hash FROM events
      WHERE chain = CASE $1::text WHEN '${BROKER_CHAIN}' THEN 0 ELSE (SELECT no FROM grants WHERE id = $1) END
        AND seq > $2 ORDER BY seq LIMIT ${PAGE}`,
    [chain, after],
  )
  return rows as { text: string; hash: string }[]
}
