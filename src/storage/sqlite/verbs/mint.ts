import type { MintEntry, MintOutcome, MintRefusal, TokenUse } from '#broker/ports.ts'
import { jobRecord } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import { jobKey } from '#domain/job-identity.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { scopeText } from '#domain/scope.ts'
import { link, newChain } from '#storage/chain.ts'
import { digestOf, sha256 } from '#storage/digest.ts'
import { insertEvent, type Transaction } from '#storage/sqlite/transaction.ts'
import { jobHasEnded } from './end-job.ts'

/** ID tokens that verified, per repository and minute of the clock; each is counted, whatever it led to. */
const TOKENS_PER_MINUTE = 60

/** A mint as it goes to the worker: `terms` is the grant's stored text. */
export interface StoredMint extends MintEntry {
  readonly terms: string
}

type Objection = Omit<Extract<MintOutcome, { kind: 'refused' }>, 'kind'>

export function mint(transaction: Transaction, entry: StoredMint): MintOutcome {
  const { grant, now, token } = entry
  const tokens = countToken(transaction, token, now)
  if (tokens > TOKENS_PER_MINUTE) {
    const objection = { code: 'limit_exceeded', limit: 'mints_per_minute' } as const
    // The flood itself is not written: one event tells of it.
    if (tokens === TOKENS_PER_MINUTE + 1) recordRefusal(transaction, entry, objection)
    return { kind: 'refused', ...objection }
  }
  const earlier = earlierGrant(transaction, grant)
  const objection =
    replayed(transaction, token) ??
    ended(transaction, grant) ??
    alreadyMinted(transaction, entry, earlier) ??
    overLimit(transaction, grant, entry.limits, earlier)
  if (objection) {
    recordRefusal(transaction, entry, objection)
    return { kind: 'refused', ...objection }
  }
  if (earlier) replace(transaction, earlier.id, grant.id, now)
  insert(transaction, entry)
  return { kind: 'minted', replaced: earlier?.id ?? null }
}

export function refuseMint(
  transaction: Transaction,
  { token, fact, now }: MintRefusal,
): 'recorded' | 'token_replayed' | 'limit_exceeded' {
  if (countToken(transaction, token, now) > TOKENS_PER_MINUTE) return 'limit_exceeded'
  if (replayed(transaction, token)) return 'token_replayed'
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
    .get(digestOf(token.issuer, token.repositoryId), Math.floor(now / 60))
  return row ? Number(row['tokens']) : Number.POSITIVE_INFINITY
}

/** Consumes the token. */
function replayed(transaction: Transaction, token: TokenUse): Objection | null {
  const inserted = transaction
    .sql('INSERT INTO used_tokens VALUES (?, ?) ON CONFLICT DO NOTHING')
    .run(digestOf(token.issuer, token.jti), token.expiresAt)
  return inserted.changes === 1 ? null : { code: 'token_replayed' }
}

/** A job that is over has tokens which are still fresh. */
function ended(transaction: Transaction, { job }: Grant): Objection | null {
  return jobHasEnded(transaction, job) ? { code: 'job_ended' } : null
}

interface EarlierGrant {
  readonly id: string
  readonly idempotencyDigest: Uint8Array | null
  readonly mintedAt: NumericDate
}

/** The grant that the job has, or had, under this policy; not one that was replaced. */
function earlierGrant(transaction: Transaction, grant: Grant): EarlierGrant | null {
  const row = transaction
    .sql(
      'SELECT id, idempotency_digest, minted_at FROM grants WHERE job_digest = ? AND policy = ? AND replaced_by IS NULL',
    )
    .get(sha256(jobKey(grant.job)), grant.policy)
  if (!row) return null
  return {
    id: String(row['id']),
    idempotencyDigest: row['idempotency_digest'] as Uint8Array | null,
    mintedAt: Number(row['minted_at']),
  }
}

/** An earlier grant may be replaced when its key cannot have been used, and the asker knows its idempotency key. */
function alreadyMinted(transaction: Transaction, entry: StoredMint, earlier: EarlierGrant | null): Objection | null {
  if (!earlier) return null
  const { used, ended } = transaction.grant(earlier.id, entry.now)
  const isSameAsk =
    entry.idempotencyKey !== null &&
    earlier.idempotencyDigest !== null &&
    Buffer.compare(sha256(entry.idempotencyKey), earlier.idempotencyDigest) === 0
  return isSameAsk && used === 0 && ended === null ? null : { code: 'already_minted' }
}

/** What the policy has granted to the run and on the day, less the grant that is to be replaced. */
function overLimit(
  transaction: Transaction,
  grant: Grant,
  limits: MintEntry['limits'],
  earlier: EarlierGrant | null,
): Objection | null {
  const earlierLimit = earlier ? transaction.grant(earlier.id, grant.mintedAt).life.limit : 0
  const run = granted(transaction, grant.policy, runOf(grant))
  const day = granted(transaction, grant.policy, dayOf(grant))
  const dayLess = earlier && dayOf(earlier) === dayOf(grant) ? earlierLimit : 0
  if (exceeds(run.keys - (earlier ? 1 : 0) + 1, limits.keysPerRun)) return limitExceeded('keys_per_run')
  if (exceeds(run.activations - earlierLimit + grant.limit, limits.activationsPerRun))
    return limitExceeded('activations_per_run')
  if (exceeds(day.activations - dayLess + grant.limit, limits.activationsPerDay))
    return limitExceeded('activations_per_day')
  return null
}

function exceeds(amount: number, limit: number | null): boolean {
  return limit !== null && amount > limit
}

function limitExceeded(limit: NonNullable<Objection['limit']>): Objection {
  return { code: 'limit_exceeded', limit }
}

function granted(transaction: Transaction, policy: string, span: Span): { keys: number; activations: number } {
  const row = transaction
    .sql('SELECT keys, activations FROM allowances WHERE policy = ? AND span = ?')
    .get(policy, span)
  return { keys: Number(row?.['keys'] ?? 0), activations: Number(row?.['activations'] ?? 0) }
}

type Span = Uint8Array | string

function runOf({ job }: Grant): Span {
  return digestOf(job.issuer, job.repositoryId, job.runId)
}

/** The day in UTC, as SQLite's `date()` writes it. */
function dayOf({ mintedAt }: { readonly mintedAt: NumericDate }): Span {
  return new Date(mintedAt * 1000).toISOString().slice(0, 10)
}

/** The job is told a code; the operator finds the refusal in the broker's chain, under the id that the grant would have had. */
function recordRefusal(transaction: Transaction, { grant, now }: StoredMint, { code, limit }: Objection): void {
  transaction.appendToBroker(
    {
      type: 'mint.refused',
      deny_id: `d_${grant.id.slice(2)}`,
      code,
      job: jobRecord(grant.job),
      considered: [{ policy: grant.policy, check: limit ?? code, found: String(grant.limit) }],
    },
    now,
  )
}

function replace(transaction: Transaction, earlier: string, by: string, now: NumericDate): void {
  transaction.end(transaction.grant(earlier, now), 'reissued', now)
  transaction.sql('UPDATE grants SET replaced_by = ? WHERE id = ?').run(by, earlier)
}

function insert(transaction: Transaction, { grant, keyDigest, idempotencyKey, terms, now }: StoredMint): void {
  const { lastInsertRowid: no } = transaction
    .sql(
      `INSERT INTO grants (id, key_digest, policy, job_digest, idempotency_digest, run_digest, minted_at, expires_at, idle_after, terms)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      grant.id,
      keyDigest,
      grant.policy,
      sha256(jobKey(grant.job)),
      idempotencyKey === null ? null : sha256(idempotencyKey),
      runOf(grant),
      grant.mintedAt,
      grant.expiresAt,
      grant.idleAfterSeconds,
      terms,
    )
  const chain = newChain(grant.id)
  const text = link(
    chain,
    {
      type: 'key.minted',
      policy: grant.policy,
      job: jobRecord(grant.job),
      providers: [...grant.scope.routes.keys()],
      limit: grant.limit,
      expires_at: grant.expiresAt,
      idle_after: grant.idleAfterSeconds,
      scope: scopeText(grant.scope),
    },
    now,
  )
  const event = insertEvent(transaction.sql, Number(no), chain, null, text)
  transaction
    .sql(
      'INSERT INTO grant_states (grant_no, budget, active_at, due_at, events, head, last_event) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    .run(
      no,
      grant.limit,
      grant.mintedAt,
      Math.min(grant.expiresAt, grant.mintedAt + (grant.idleAfterSeconds ?? Number.POSITIVE_INFINITY)),
      chain.length,
      Buffer.from(chain.head, 'hex'),
      event,
    )
  for (const span of [runOf(grant), dayOf(grant)])
    transaction
      .sql(
        `INSERT INTO allowances VALUES (?, ?, 1, ?, ?) ON CONFLICT DO UPDATE
          SET keys = keys + 1, activations = activations + excluded.activations, granted_at = excluded.granted_at`,
      )
      .run(grant.policy, span, grant.limit, grant.mintedAt)
}
