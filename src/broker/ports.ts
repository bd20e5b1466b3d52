/** What the verbs of the broker need of the world outside. Adapters implement these; `serve.ts` introduces them. */

import type { ChainHead } from '#domain/audit-chain.ts'
import type { AuditEvent, AuditFact } from '#domain/audit-event.ts'
import type { TrailRecord } from '#domain/audit-trail.ts'
import type { Activation, DeadReason, Ending, EndReason, Grant, GrantState } from '#domain/grant.ts'
import type { Claims, JobName } from '#domain/job-identity.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { Policy } from '#domain/policy.ts'
import type { Provider } from '#domain/provider.ts'
import type { Refusal } from '#domain/refusal.ts'

/** Seconds since the epoch, with milliseconds as a fraction. */
export type Clock = () => NumericDate

/** Bytes from a cryptographic source. */
export type Random = (length: number) => Uint8Array

/** What the configuration says now. Replaced as a whole when it is reloaded; read it once per request. */
export interface Rules {
  readonly policies: readonly Policy[]
  readonly providers: ReadonlyMap<string, Provider>
}

/** The providers' real keys. */
export interface Credentials {
  /** `null`: none is there; the provider is not ready. The value was checked to be fit for a header. */
  read(provider: string): string | null
}

/** Till as relying party. */
export interface TokenVerifier {
  /**
   * @returns the claims and whether this issuer's tokens may lack `check_run_id`; or `token_invalid`, one text for all
   *   reasons, or `issuer_keys_unavailable`
   */
  verify(token: string): Promise<VerifiedToken | Refusal>
}

export interface VerifiedToken {
  readonly kind: 'verified'
  readonly claims: Claims
  readonly jti: string
  readonly expiresAt: NumericDate
  readonly checkRunId: 'required' | 'optional'
}

/** Signs receipts and checkpoints. */
export interface Signer {
  /** A compact JWS (EdDSA, RFC 8037) over the payload's JSON. Its `typ` is that of a receipt unless said. */
  sign(payload: unknown, type?: string): Promise<string>
  /** The public keys, as a JWK Set. */
  publicKeys(): { readonly keys: readonly Record<string, string>[] }
}

/**
 * The one door to stored state. Every change of a grant and the audit event that records it are one transaction, and a
 * promise resolves only when that transaction is on disk, unless it says otherwise.
 *
 * Every method rejects with {@link StorageUnavailable} when the outcome is not certain to be on disk.
 */
export interface Ledger {
  /**
   * Records a new grant, if the token, the job and the limits of the policy allow it. The token is consumed either way,
   * and a refusal is an event of the broker's chain; but of tokens beyond 60 a minute and repository only the first is.
   */
  mint(entry: MintEntry): Promise<MintOutcome>
  /** Records that a verified token got no key. It is counted, and consumed unless it may be sent again. */
  refuseMint(entry: MintRefusal): Promise<'recorded' | 'token_replayed' | 'limit_exceeded'>
  /** The grant of the key with this SHA-256 digest, alive or ended. `null`: there never was one, or it was forgotten. */
  find(keyDigest: Uint8Array): Promise<Grant | null>
  findById(id: string): Promise<Grant | null>
  /**
   * What changes of a grant, as it is now. Whatever looks at a grant records time's own ending (expiry, idleness) first,
   * if it has come: at its own instant, and for good, wherever the clock goes afterwards.
   */
  state(grant: Grant, now: NumericDate): Promise<GrantState>
  /**
   * Spends one activation in a transaction with its audit event. Calls that wait at the same time share one commit.
   * A refusal is recorded too, but not waited for.
   */
  charge(grant: Grant, request: RequestRecord, now: NumericDate): Promise<Activation>
  /** Whether a free request may pass: the key is alive and not spent. Writes nothing, unless time has ended the key. */
  admitFree(grant: Grant, now: NumericDate): Promise<DeadReason | null>
  /**
   * Gives one activation back, once at most for each request. Does nothing for a request that this process did not
   * charge, or that has finished: what was open when a broker died may have reached the provider.
   */
  giveBack(grant: Grant, requestId: string, reason: 'dns' | 'connect' | 'tls', now: NumericDate): Promise<void>
  /**
   * Adds a fact to a grant's chain with the next commit. Resolves once it is on disk; the data plane does not wait.
   * Of equal `request.refused` facts (grant, code, provider, route) the first is written at once; those that follow
   * within a second become one event with their count, and their promises resolve before it is written. `events` and
   * `close` write it first, a crash loses it.
   */
  record(
    grant: Grant,
    fact: Extract<AuditFact, { type: 'request.finished' | 'request.refused' }>,
    now: NumericDate,
  ): Promise<void>
  /** Marks grants with open streams as active, so that idleness does not end them. */
  touch(grantIds: readonly string[], now: NumericDate): Promise<void>
  /** Ends a grant, if it has not ended. Repeating it is harmless. Returns how it ended, now or before. */
  end(grant: Grant, reason: EndReason, now: NumericDate, operator?: string): Promise<Ending>
  /**
   * Ends every key of a job as `job_completed`, and remembers the job for a day, so that a token which is still fresh
   * mints nothing: `job_ended`. Repeating it is harmless.
   *
   * @returns the ids of the grants that ended by this
   */
  endJob(job: JobName, now: NumericDate): Promise<readonly string[]>
  /**
   * Ends everything whose time has come; returns how many. Called once a second by the broker. Also forgets, a day after
   * they expired, the tokens that were used.
   */
  sweep(now: NumericDate): Promise<number>
  /**
   * Forgets keys that ended before, with their whole chains, never a part of one. The broker's chain says of each where
   * its chain ended. Those that no checkpoint vouches for, or only the last one, wait for another. Time after the newest
   * ID token that verified is not counted: a clock that jumped forward makes nothing old.
   *
   * @returns how many
   */
  forgetKeys(endedBefore: NumericDate, now: NumericDate): Promise<number>
  /** The events of one chain in order, and their hashes in hex. Everything recorded before the call is included. */
  events(chain: string): AsyncIterable<{ readonly event: AuditEvent; readonly hash: string }>
  /** Grants, newest first; at most 1000, unless `most` says otherwise. */
  list(filter: {
    readonly alive?: boolean
    readonly now: NumericDate
    readonly most?: number
  }): Promise<readonly GrantRow[]>
  /** Grants whose job ran on one of these refs of a repository, newest first; not those that were replaced. */
  ofRefs(filter: {
    readonly issuer: string
    readonly repositoryId: string
    readonly refs: readonly string[]
    readonly most: number
  }): Promise<readonly Grant[]>
  /** Calls back once for each grant that ended: here at once, through another process within a second, 5 s if its notice was lost. */
  onEnding(listener: (grantId: string, ending: Ending) => void): void
  /** A sealed record: signing keys, credentials, issuer key sets. */
  readRecord(name: string): Promise<Uint8Array | null>
  /** @param act of the operator who gave the value: an event of the broker's chain, in the same transaction */
  writeRecord(name: string, value: Uint8Array, act?: OperatorAct): Promise<void>
  /** Writes a record unless there is one; resolves to the one that stands then, so that a race leaves one winner. */
  createRecord(name: string, value: Uint8Array): Promise<Uint8Array>
  /** The last checkpoint, and the heads of the chains that grew since. Counted refusals are written first. */
  sinceCheckpoint(): Promise<SinceCheckpoint>
  /** Writes a checkpoint. `false`: another process has written one of this `seq`, and this one is not written. */
  writeCheckpoint(checkpoint: NewCheckpoint): Promise<boolean>
  /** Checkpoints in order, from the one after `after`, as compact JWS; `most` of them. */
  checkpoints(after: number, most: number): Promise<readonly SignedCheckpoint[]>
  /** A chain of the last checkpoint that ends before its head there; `null` when there is none. */
  behindCheckpoint(): Promise<{ readonly chain: string; readonly expected: number; readonly found: number } | null>
  /** Events of all chains in the order in which they came, after a position; `null`: the last `most`. */
  newEvents(after: number | null, most: number): Promise<readonly PlacedEvent[]>
  /** Opens the stored trail for who trusts none of it. */
  openTrail(): Promise<AuditTrail>
  /** Resolves when a write reaches the disk. */
  check(): Promise<void>
  /** Commits what waits, then closes. */
  close(): Promise<void>
}

/** One state of everything that is on record, however long it is read. */
export interface AuditTrail {
  /** Every checkpoint in order, with the heads whose digest it holds. */
  checkpoints(): AsyncIterable<SignedCheckpoint & { readonly heads: readonly ChainHead[] }>
  /** Every chain, or the one that is named, as it is stored; the witnesses are the heads of the checkpoints. */
  records(chain?: string): AsyncIterable<TrailRecord>
  close(): Promise<void>
}

export interface SignedCheckpoint {
  readonly seq: number
  /** Compact JWS of a `Checkpoint`. */
  readonly jws: string
}

export interface SinceCheckpoint {
  readonly last: SignedCheckpoint | null
  /** Where the ledger stands, for the checkpoint to be. */
  readonly position: number
  readonly heads: readonly ChainHead[]
}

export interface NewCheckpoint extends SignedCheckpoint {
  readonly position: number
  readonly heads: readonly ChainHead[]
}

export interface PlacedEvent {
  readonly position: number
  /** The exact text of the event. */
  readonly text: string
}

export interface GrantRow {
  readonly grant: Grant
  readonly state: GrantState
}

/** What GitHub delivers to a webhook: headers as they came, `null` where one is missing, and the raw body. */
export interface WebhookDelivery {
  /** `X-Hub-Signature-256`. */
  readonly signature: string | null
  /** `X-GitHub-Delivery`. */
  readonly id: string | null
  /** `X-GitHub-Event`. */
  readonly event: string | null
  readonly contentType: string | null
  readonly body: Uint8Array
}

/** @returns `null` when the delivery is GitHub's, whether it led to something or not */
export type WebhookReceiver = (delivery: WebhookDelivery) => Promise<Refusal | null>

/** What a request was, as it stands in its events. */
export interface RequestRecord {
  readonly requestId: string
  readonly provider: string
  /** The route template that admitted it, such as `POST /v1/responses`. */
  readonly route: string
  readonly model: string | null
}

export interface TokenUse {
  readonly issuer: string
  readonly jti: string
  readonly repositoryId: string
  readonly expiresAt: NumericDate
}

export interface MintEntry {
  readonly grant: Grant
  readonly keyDigest: Uint8Array
  readonly token: TokenUse
  readonly idempotencyKey: string | null
  readonly limits: Policy['limits']
  readonly now: NumericDate
}

/** What an operator did, as it stands in the broker's chain; `now` is the clock of the machine where that was. */
export interface OperatorAct {
  readonly fact: Extract<AuditFact, { type: 'operator.set_credential' | 'operator.rotate_credential' }>
  readonly now: NumericDate
}

export interface MintRefusal {
  readonly token: TokenUse
  /** Whether the token is good for another try: what was asked for was not looked at, or could be given later. */
  readonly mayBeSentAgain: boolean
  readonly fact: Extract<AuditFact, { type: 'mint.refused' }>
  readonly now: NumericDate
}

export type MintOutcome =
  | { readonly kind: 'minted'; readonly replaced: string | null }
  | {
      readonly kind: 'refused'
      readonly code: 'token_replayed' | 'already_minted' | 'job_ended' | 'limit_exceeded'
      /** For `limit_exceeded`: which limit. */
      readonly limit?: 'keys_per_run' | 'activations_per_run' | 'activations_per_day' | 'mints_per_minute'
    }

/** A transaction that is not certain to be on disk. Whatever it was to allow is refused. */
export class StorageUnavailable extends Error {
  override readonly name = 'StorageUnavailable'
}

/** What the operator's log says of a fault: the sentence of the ledger; else only a class, since a text may hold anything. */
export function reasonOf(error: unknown): string {
  if (error instanceof StorageUnavailable) return error.message
  return error instanceof Error ? error.name : typeof error
}

/** All of them. A verb names those it needs. */
export interface Ports {
  readonly ledger: Ledger
  readonly verifier: TokenVerifier
  readonly signer: Signer
  readonly credentials: Credentials
  /** The configuration as it is now; asked once per request. */
  readonly rules: () => Rules
  readonly clock: Clock
  readonly random: Random
  /** SHA-256. */
  readonly digest: (text: string) => Uint8Array
  readonly log: Log
}

/**
 * The operator's log. Fields are numbers, codes and names from an allow list: no requests, headers, URLs with a query,
 * raw errors.
 */
export interface Log {
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

/** The allow list. A name that is not here does not compile, and is dropped if it comes all the same. */
export const logFields = [
  'address',
  'code',
  'count',
  'deny_id',
  'error',
  'file',
  'issuer',
  'key_id',
  'keys',
  'limit',
  'milliseconds',
  'part',
  'policy',
  'problem',
  'provider',
  'reason',
  'repository_id',
  'request_id',
  'route',
  'signal',
  'status',
  'type',
  'version',
] as const

export type LogFields = {
  readonly [name in (typeof logFields)[number]]?: string | number | boolean | null | readonly string[]
}
