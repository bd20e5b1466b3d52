import type { MintEntry, MintOutcome, MintRefusal, TokenUse } from '#broker/ports.ts'
import type { Grant } from '#domain/grant.ts'
import type { JobName } from '#domain/job-identity.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { link, newChain } from '#storage/chain.ts'
import { sha256 } from '#storage/digest.ts'
import {
  type Allowance,
  dayOf,
  firstDueAt,
  jobDigest,
  type MintObjection,
  mintedFact,
  minuteOf,
  objectionToMint,
  overMinuteFact,
  refusedMintFact,
  repositoryDigest,
  runDigest,
  TOKENS_PER_MINUTE,
  tokenDigest,
} from '#storage/mint-decision.ts'
import { encodeGrant } from '#storage/stored-grant.ts'
import { appendToBroker } from './broker-chain.ts'
import { Draft } from './draft.ts'
import { lockGrants } from './open-grants.ts'
import { refDigest } from './ref-digest.ts'
import type { Row } from './session.ts'
import type { Statements } from './transact.ts'
import { writeConsequences, writeDrafts } from './write-drafts.ts'

/**
 * The rows of a mint are locked in one order everywhere: the job, the token's minute, the token, the earlier grant, the
 * allowances, the broker's chain.
 *
 * @returns what came of it, and the draft of the grant that was looked at
 */
export async function mint(
  statements: Statements,
  entry: MintEntry,
): Promise<{ outcome: MintOutcome; earlier: Draft | null }> {
  const { grant, now, token } = entry
  const refused = async (objection: MintObjection, earlier: Draft | null) => {
    await appendToBroker(statements, refusedMintFact(grant, objection), now)
    return { outcome: { kind: 'refused', ...objection } as const, earlier }
  }
  const [, found] = await Promise.all([
    lockJob(statements, grant.job),
    statements.query(TAKE_TOKEN_OF_JOB, [...tokenValues(token, now), jobDigest(grant.job), grant.policy]),
  ])
  const { tokens, is_first_use, job_is_over, earlier_id, earlier_digest, earlier_minted_at } = found[0]!
  if (tokens === null || Number(tokens) > TOKENS_PER_MINUTE) {
    const objection = { code: 'limit_exceeded', limit: 'mints_per_minute' } as const
    // The flood itself is not written: one event tells of it.
    if (tokens !== null) return refused(objection, null)
    return { outcome: { kind: 'refused', ...objection }, earlier: null }
  }
  const [rows, [run, day]] = await Promise.all([
    earlier_id === null ? [] : lockGrants(statements, [String(earlier_id)]),
    lockAllowances(statements, grant, earlier_id === null ? [] : [dayOf({ mintedAt: Number(earlier_minted_at) })]),
  ])
  const earlier = rows[0] ? new Draft(rows[0]) : null
  const earlierGrant = earlier && {
    idempotencyDigest: earlier_digest as Uint8Array | null,
    mintedAt: Number(earlier_minted_at),
    grant: earlier.grant(earlier.read.id, now),
  }
  const objection = objectionToMint(entry, {
    tokenIsUsed: is_first_use !== true,
    jobIsOver: job_is_over === true,
    earlier: earlierGrant,
    run,
    day,
  })
  if (!objection && earlier) earlier.end(earlier.row, 'reissued', now)
  if (earlier?.isChanged) {
    await writeDrafts(statements, [earlier])
    await writeConsequences(statements, [earlier])
  }
  if (objection) return refused(objection, earlier)
  if (earlier) await statements.query('UPDATE grants SET replaced_by = $1 WHERE id = $2', [grant.id, earlier.read.id])
  await insert(statements, entry)
  return { outcome: { kind: 'minted', replaced: earlier?.read.id ?? null }, earlier }
}

export async function refuseMint(
  statements: Statements,
  { token, mayBeSentAgain, fact, now }: MintRefusal,
): Promise<'recorded' | 'token_replayed' | 'limit_exceeded'> {
  const values = tokenValues(token, now)
  const [found] = await (mayBeSentAgain
    ? statements.query(COUNT_TOKEN, values.slice(0, 2))
    : statements.query(TAKE_TOKEN, values))
  const { tokens, is_first_use } = found!
  if (tokens === null) return 'limit_exceeded'
  if (Number(tokens) > TOKENS_PER_MINUTE) {
    await appendToBroker(statements, overMinuteFact(fact), now)
    return 'limit_exceeded'
  }
  if (!mayBeSentAgain && is_first_use !== true) return 'token_replayed'
  await appendToBroker(statements, fact, now)
  return 'recorded'
}

/** Mints of a job and its end come one after the other. Jobs whose digests begin alike share a lock, which is harmless. */
export function lockJob(statements: Statements, job: JobName): Promise<Row[]> {
  const key = Buffer.from(jobDigest(job)).readBigInt64BE()
  return statements.query('SELECT pg_advisory_xact_lock($1::bigint)', [String(key)])
}

function tokenValues(token: TokenUse, now: NumericDate): unknown[] {
  return [repositoryDigest(token), minuteOf(now), tokenDigest(token), token.expiresAt]
}

// Counts up to one more than is allowed, so that a flood writes nothing; `tokens` is NULL beyond.
const COUNT = `
  WITH counted AS (
    INSERT INTO mint_minutes AS stored VALUES ($1, $2, 1)
      ON CONFLICT (repository_digest, minute) DO UPDATE SET tokens = stored.tokens + 1
        WHERE stored.tokens <= ${TOKENS_PER_MINUTE}
      RETURNING tokens
  )`
const COUNT_TOKEN = `${COUNT} SELECT (SELECT tokens FROM counted) AS tokens`
const TAKE = `${COUNT}, used AS (
    INSERT INTO used_tokens SELECT $3, $4 FROM counted WHERE tokens <= ${TOKENS_PER_MINUTE}
      ON CONFLICT DO NOTHING RETURNING true AS is_first_use
  )`
const TAKE_TOKEN = `${TAKE} SELECT (SELECT tokens FROM counted) AS tokens, (SELECT is_first_use FROM used) AS is_first_use`
const TAKE_TOKEN_OF_JOB = `${TAKE}
  SELECT (SELECT tokens FROM counted) AS tokens, (SELECT is_first_use FROM used) AS is_first_use,
      EXISTS (SELECT FROM ended_jobs WHERE job_digest = $5) AS job_is_over,
      earlier.id AS earlier_id, earlier.idempotency_digest AS earlier_digest, earlier.minted_at AS earlier_minted_at
    FROM (VALUES (1)) AS one
      LEFT JOIN grants AS earlier ON job_digest = $5 AND policy = $6 AND replaced_by IS NULL`

/**
 * What the policy has granted to the run and on the day; nobody else can change either until the transaction ends.
 *
 * @param others further spans that the transaction may change: all are locked in one order
 */
async function lockAllowances(
  statements: Statements,
  grant: Grant,
  others: readonly string[],
): Promise<[run: Allowance, day: Allowance]> {
  const spans = spansOf(grant)
  const [, rows] = await Promise.all([
    statements.query(
      `INSERT INTO allowances SELECT $1, span, 0, 0, $3 FROM unnest($2::text[]) AS spans (span) ORDER BY span
        ON CONFLICT DO NOTHING`,
      [grant.policy, spans, grant.mintedAt],
    ),
    statements.query(
      `SELECT span, keys, activations FROM allowances WHERE policy = $1 AND span = ANY($2::text[])
        ORDER BY policy, span FOR UPDATE`,
      [grant.policy, [...spans, ...others]],
    ),
  ])
  const allowance = (span: string): Allowance => {
    const row = rows.find((row) => row['span'] === span)
    return { keys: Number(row?.['keys'] ?? 0), activations: Number(row?.['activations'] ?? 0) }
  }
  return [allowance(spans[0]), allowance(spans[1])]
}

function spansOf(grant: Grant): [run: string, day: string] {
  return [Buffer.from(runDigest(grant)).toString('hex'), dayOf(grant)]
}

async function insert(statements: Statements, { grant, keyDigest, idempotencyKey, now }: MintEntry): Promise<void> {
  const chain = newChain(grant.id)
  const text = link(chain, mintedFact(grant), now)
  await statements.query(INSERT, [
    grant.id,
    keyDigest,
    grant.policy,
    jobDigest(grant.job),
    idempotencyKey === null ? null : sha256(idempotencyKey),
    runDigest(grant),
    refDigest(grant.job.issuer, grant.job.repositoryId, grant.job.claims['ref']),
    grant.mintedAt,
    grant.expiresAt,
    grant.idleAfterSeconds,
    encodeGrant(grant),
    grant.limit,
    firstDueAt(grant),
    chain.head,
    text,
    spansOf(grant),
  ])
}

const INSERT = `
  WITH minted AS (
    INSERT INTO grants (id, key_digest, policy, job_digest, idempotency_digest, run_digest, ref_digest, minted_at,
        expires_at, idle_after, terms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING no
  ), state AS (
    INSERT INTO grant_states (grant_no, budget, active_at, due_at, events, head)
      SELECT no, $12, $8, $13, 1, decode($14, 'hex') FROM minted
  ), event AS (
    INSERT INTO events (chain, seq, hash, text) SELECT no, 1, decode($14, 'hex'), $15 FROM minted
  )
  UPDATE allowances SET keys = keys + 1, activations = activations + $12, granted_at = $8
    WHERE policy = $3 AND span = ANY($16::text[])`
