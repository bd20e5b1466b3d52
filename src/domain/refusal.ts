/** Every code that a client can meet. Public: added, never renamed. `docs/errors.md` is printed from this table. */
export const catalogue = {
  // Data plane
  activations_exhausted: { status: 410, codex: 400, title: 'All activations are spent' },
  key_expired: { status: 410, codex: 400, title: 'The key has expired' },
  key_revoked: { status: 410, codex: 400, title: 'The key was revoked' },
  key_invalid: { status: 403, codex: 400, control: 401, title: 'Not a key of this broker' },
  scope_denied: { status: 403, codex: 400, title: 'Outside the scope of the key' },
  request_refused: { status: 400, codex: 400, title: 'The request itself is refused' },
  body_too_large: { status: 413, codex: 413, title: 'The body is too large' },
  too_many_concurrent: { status: 429, codex: 429, title: 'Too many requests at once' },
  upgrade_refused: { status: 426, codex: 426, title: 'No WebSocket here' },
  provider_unreachable: { status: 502, codex: 502, title: 'The provider was not reached' },
  provider_failed: { status: 502, codex: 502, title: 'The provider broke off' },
  provider_timeout: { status: 504, codex: 504, title: 'The provider did not answer in time' },
  limit_exceeded: { status: 429, codex: 429, title: 'A limit is reached' },
  provider_credential_rejected: { status: 403, codex: 400, title: 'The provider refused the credential' },
  storage_unavailable: { status: 503, codex: 503, title: 'The ledger cannot be written' },
  // Control plane
  request_invalid: { status: 400, codex: 400, title: 'The request is not of the expected shape' },
  token_invalid: { status: 401, codex: 401, title: 'The ID token does not verify' },
  token_replayed: { status: 401, codex: 401, title: 'The ID token was used before' },
  policy_denied: { status: 403, codex: 403, title: 'No policy allows this' },
  already_minted: { status: 409, codex: 409, title: 'This job has its key already' },
  job_ended: { status: 409, codex: 409, title: 'The job is over' },
  issuer_keys_unavailable: { status: 503, codex: 503, title: "The issuer's keys are unknown" },
  credential_missing: { status: 503, codex: 503, title: 'The broker holds no credential for the provider' },
  not_found: { status: 404, codex: 404, title: 'Nothing here' },
  method_not_allowed: { status: 405, codex: 405, title: 'Not with this method' },
  not_ready: { status: 503, codex: 503, title: 'The broker is not ready' },
  request_timeout: { status: 408, codex: 408, title: 'The request did not arrive in time' },
} as const satisfies Record<string, CatalogueEntry>

interface CatalogueEntry {
  readonly status: number
  /** The status for Codex, which repeats everything but a 400 (CLIENTS, 1.5). */
  readonly codex: number
  /** The status on the control plane, where it differs. */
  readonly control?: number
  readonly title: string
}

export type RefusalCode = keyof typeof catalogue

/**
 * A request that is not done, as a value. The sentence is public: it says what could not be done, why, and what a
 * person can do, and holds no secret.
 */
export interface Refusal {
  readonly kind: 'refused'
  readonly code: RefusalCode
  readonly sentence: string
  /** Seconds, where the answer tells when to come again. */
  readonly retryAfter?: number
}

export function refusal(code: RefusalCode, sentence: string, retryAfter?: number): Refusal {
  return retryAfter === undefined
    ? { kind: 'refused', code, sentence }
    : { kind: 'refused', code, sentence, retryAfter }
}
