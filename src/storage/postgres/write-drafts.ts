import { type Draft, endingsOf } from './draft.ts'
import { ENDINGS_CHANNEL, endingText } from './ending-text.ts'
import type { Statements } from './transact.ts'

/**
 * Writes changed grants with their events, each only if its row is still the one that was read: one statement, which is
 * a transaction of its own when no other is open. Rows are locked in the order of their numbers, so that replicas which
 * write the same grants wait for each other and never in a circle.
 *
 * @returns the numbers of those that were written; of the others nothing was
 */
export async function writeDrafts(statements: Statements, drafts: readonly Draft[]): Promise<ReadonlySet<number>> {
  const events = drafts.flatMap(({ read, events }) => events.map((event) => ({ no: read.no, ...event })))
  const grants = drafts.map(({ row }) => row)
  const rows = await statements.query(WRITE, [
    numbers(drafts, ({ read }) => read.no),
    numbers(drafts, ({ read }) => read.version),
    numbers(grants, ({ used }) => used),
    numbers(grants, ({ givenBack }) => givenBack),
    numbers(grants, ({ finished }) => finished),
    numbers(grants, ({ activeAt }) => activeAt),
    numbers(grants, ({ chain }) => chain.length),
    grants.map(({ chain }) => chain.head).join(),
    `{${grants.map(({ ended }) => ended?.at ?? 'NULL').join()}}`,
    `{${grants.map(({ ended }) => ended?.reason ?? 'NULL').join()}}`,
    numbers(events, ({ no }) => no),
    numbers(events, ({ seq }) => seq),
    events.map(({ hash }) => hash).join(),
    // Canonical JSON has no raw line feed.
    events.map(({ text }) => text).join('\n'),
  ])
  return new Set(rows.map((row) => Number(row['grant_no'])))
}

const WRITE = `
  WITH changed AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::float8[],
        $7::bigint[], string_to_array($8, ','), $9::float8[], $10::text[])
      AS changed (grant_no, version, used, given_back, finished, active_at, events, head, ended_at, end_reason)
  ), locked AS MATERIALIZED (
    SELECT grant_no, version FROM grant_states WHERE grant_no = ANY($1::bigint[]) ORDER BY grant_no FOR UPDATE
  ), saved AS (
    UPDATE grant_states AS stored
      SET version = stored.version + 1, used = changed.used, given_back = changed.given_back,
        finished = changed.finished, active_at = changed.active_at, events = changed.events,
        head = decode(changed.head, 'hex'), ended_at = changed.ended_at, end_reason = changed.end_reason,
        ended_in = CASE WHEN changed.ended_at IS NULL THEN NULL
          ELSE coalesce(stored.ended_in, pg_current_xact_id()) END
      FROM changed JOIN locked USING (grant_no, version)
      WHERE stored.grant_no = changed.grant_no AND stored.version = changed.version
      RETURNING stored.grant_no
  ), added AS (
    INSERT INTO events (chain, seq, hash, text)
      SELECT chain, seq, decode(hash, 'hex'), text
        FROM unnest($11::bigint[], $12::bigint[], string_to_array($13, ','), string_to_array($14, E'\\n'))
          WITH ORDINALITY AS event (chain, seq, hash, text, place)
        WHERE chain IN (SELECT grant_no FROM saved) ORDER BY place
  )
  SELECT grant_no FROM saved`

function numbers<T>(of: readonly T[], number: (one: T) => number): string {
  return `{${of.map(number).join()}}`
}

/** Whether more than the grant itself is to be written. */
export function reachesFurther({ ending, unspent }: Draft): boolean {
  return ending !== null || unspent.keys !== 0 || unspent.activations !== 0
}

/** In the same transaction: gives back what grants leave unspent, and tells the other replicas which have ended. */
export async function writeConsequences(statements: Statements, drafts: readonly Draft[]): Promise<void> {
  const endings = endingsOf(drafts)
  const unspent = drafts.filter((draft) => draft.unspent.keys !== 0 || draft.unspent.activations !== 0)
  await Promise.all([
    unspent.length > 0 &&
      statements.query(RETURN_UNSPENT, [
        numbers(unspent, ({ read }) => read.no),
        numbers(unspent, (draft) => draft.unspent.keys),
        numbers(unspent, (draft) => draft.unspent.activations),
      ]),
    endings.length > 0 &&
      statements.query('SELECT pg_notify($1, text) FROM unnest($2::text[]) AS ending (text)', [
        ENDINGS_CHANNEL,
        endings.map(endingText),
      ]),
  ])
}

// Locked in one order, as a mint does.
const RETURN_UNSPENT = `
  WITH unspent AS (
    SELECT policy, span, sum(keys)::bigint AS keys, sum(activations)::bigint AS activations
      FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS unspent (grant_no, keys, activations)
        JOIN grants ON no = grant_no
        CROSS JOIN LATERAL (VALUES (encode(run_digest, 'hex')),
          (to_char(to_timestamp(floor(minted_at)) AT TIME ZONE 'UTC', 'YYYY-MM-DD'))) AS spans (span)
      GROUP BY policy, span
  ), locked AS MATERIALIZED (
    SELECT policy, span FROM allowances JOIN unspent USING (policy, span) ORDER BY policy, span FOR UPDATE OF allowances
  )
  UPDATE allowances AS stored
    SET keys = stored.keys - unspent.keys, activations = stored.activations - unspent.activations
    FROM unspent JOIN locked USING (policy, span)
    WHERE stored.policy = unspent.policy AND stored.span = unspent.span`
