import type { MintEntry, MintOutcome, MintRefusal, TokenUse } from '#broker/ports.ts'
import type { Grant } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { link, newChain } from '#storage/chain.ts'
import { sha256 } from '#storage/digest.ts'
import {
  type Allowance,
  dayOf,
  type EarlierGrant,
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
import { insertEvent, type Transaction } from '#storage/sqlite/transaction.ts'
import { jobHasEnded } from './end-job.ts'

/** A mint as it goes to the worker: `terms` is the grant's stored text. */
export interface StoredMint extends MintEntry {
  readonly terms: string
}

export function mint(transaction: Transaction, entry: StoredMint): MintOutcome {
  const { grant, now, token } = entry
  const tokens = countToken(transaction, token, now)
  if (tokens > TOKENS_PER_MINUTE) {
    const objection = { code: 'limit_exceeded', limit: 'mints_per_minute' } as const
    // The flood itself is not written: one event tells of it.
    if (tokens === TOKENS_PER_MINUTE + 1) recordRefusal(transaction, entry, objection)
    return { kind: 'refused', ...objection }
  }
  const earlier = earlierGrant(transaction, grant, now)
  const objection = objectionToMint(entry, {
    tokenIsUsed: !useToken(transaction, token),
    jobIsOver: jobHasEnded(transaction, grant.job),
    earlier,
    run: allowance(transaction, grant.policy, runDigest(grant)),
    day: allowance(transaction, grant.policy, dayOf(grant)),
  })
  if (objection) {
    recordRefusal(transaction, entry, objection)
    return { kind: 'refused', ...objection }
  }
  if (earlier) replace(transaction, earlier, grant.id, now)
  insert(transaction, entry)
  return { kind: 'minted', replaced: earlier?.grant.id ?? null }
}

export function refuseMint(
  transaction: Transaction,
  { token, mayBeSentAgain, fact, now }: MintRefusal,
): 'recorded' | 'token_replayed' | 'limit_exceeded' {
  const tokens = countToken(transaction, token, now)
  if (tokens > TOKENS_PER_MINUTE) {
    if (tokens === TOKENS_PER_MINUTE + 1) transaction.appendToBroker(overMinuteFact(fact), now)
    return 'limit_exceeded'
  }
  if (!mayBeSentAgain && !useToken(transaction, token)) return 'token_replayed'
  transaction.appendToBroker(fact, now)
  return 'recorded'
}

/** Counts up to one more than is allowed, so that a flood writes nothing. */
function countToken(transaction: Transaction, token: TokenUse, now: NumericDate): number {
  const row = transaction
    .sql(
      `INSERT INTO mint_minutes VALUES (?, ?, 1)
        ON CONFLICT DO UPDATE SET tokens = tokens + 1 WHERE tokens <= ${TOKENS_PER_MINUTE} RETURNING tokens`,
    )
    .get(repositoryDigest(token), minuteOf(now))
  return row ? Number(row['tokens']) : Number.POSITIVE_INFINITY
}

/** @returns whether this was its first use */
function useToken(transaction: Transaction, token: TokenUse): boolean {
  const inserted = transaction
    .sql('INSERT INTO used_tokens VALUES (?, ?) ON CONFLICT DO NOTHING')
    .run(tokenDigest(token), token.expiresAt)
  return inserted.changes === 1
}

function earlierGrant(transaction: Transaction, grant: Grant, now: NumericDate): EarlierGrant | null {
  const row = transaction
    .sql(
      'SELECT id, idempotency_digest, minted_at FROM grants WHERE job_digest = ? AND policy = ? AND replaced_by IS NULL',
    )
    .get(jobDigest(grant.job), grant.policy)
  if (!row) return null
  return {
    idempotencyDigest: row['idempotency_digest'] as Uint8Array | null,
    mintedAt: Number(row['minted_at']),
    grant: transaction.grant(String(row['id']), now),
  }
}

function allowance(transaction: Transaction, policy: string, span: Uint8Array | string): Allowance {
  const row = transaction
    .sql('SELECT keys, activations FROM allowances WHERE policy = ? AND span = ?')
    .get(policy, span)
  return { keys: Number(row?.['keys'] ?? 0), activations: Number(row?.['activations'] ?? 0) }
}

function recordRefusal(transaction: Transaction, { grant, now }: StoredMint, objection: MintObjection): void {
  transaction.appendToBroker(refusedMintFact(grant, objection), now)
}

function replace(transaction: Transaction, earlier: EarlierGrant, by: string, now: NumericDate): void {
  const { id } = earlier.grant
  transaction.end(transaction.grant(id, now), 'reissued', now)
  transaction.sql('UPDATE grants SET replaced_by = ? WHERE id = ?').run(by, id)
}

function insert(transaction: Transaction, { grant, keyDigest, idempotencyKey, terms, now }: StoredMint): void {
  const { lastInsertRowid: no } = transaction
    .sql(
      `INSERT INTO grants (id, key_digest, policy, job_digest, idempotency_digest, run_digest, minted_at, terms)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      grant.id,
      keyDigest,
      grant.policy,
      jobDigest(grant.job),
      idempotencyKey === null ? null : sha256(idempotencyKey),
      runDigest(grant),
      grant.mintedAt,
      terms,
    )
  const chain = newChain(grant.id)
  const text = link(chain, mintedFact(grant), now)
  const event = insertEvent(transaction.sql, Number(no), chain, null, text)
  transaction
    .sql(
      `INSERT INTO grant_states
          (grant_no, budget, expires_at, idle_after, active_at, due_at, events, head, last_event)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      no,
      grant.limit,
      grant.expiresAt,
      grant.idleAfterSeconds,
      grant.mintedAt,
      firstDueAt(grant),
      chain.length,
      Buffer.from(chain.head, 'hex'),
      event,
    )
  for (const span of [runDigest(grant), dayOf(grant)])
    transaction
      .sql(
        `INSERT INTO allowances VALUES (?, ?, 1, ?, ?) ON CONFLICT DO UPDATE
          SET keys = keys + 1, activations = activations + excluded.activations, granted_at = excluded.granted_at`,
      )
      .run(grant.policy, span, grant.limit, grant.mintedAt)
}
