/**
 * Every code that a client can meet. Public: added, never renamed. `docs/errors.md` is printed from this table.
 *
 * What each says of itself is for the person who reads the documentation; the sentence of a {@link Refusal} is for the
 * one who reads the answer, and names the numbers.
 */
export const catalogue = {
  // Data plane
  activations_exhausted: {
    status: 410,
    codex: 400,
    title: 'All activations are spent',
    meaning: 'The key was good for a number of requests, and all of them were made. Nothing was sent to the provider.',
    remedy:
      'Ask for more with the input `activations`, up to what the policy gives; beyond that the operator raises `activations` in the policy. A job gets one key of a policy, so a new budget needs a new run.',
  },
  key_expired: {
    status: 410,
    codex: 400,
    title: 'The key has expired',
    meaning: 'Its time is over, or it was not used for longer than the policy allows (`idle_after`).',
    remedy:
      'Mint closer to where the key is used; ask for longer with the input `expires-in`; a longer `idle_after` is for the operator to set in the policy.',
  },
  key_revoked: {
    status: 410,
    codex: 400,
    title: 'The key was revoked',
    meaning: 'The job ended it, the job is over, an operator ended it, or it was replaced by a repeated mint.',
    remedy: 'Use a key only in the job that minted it. The receipt says how and when it ended.',
  },
  key_invalid: {
    status: 403,
    codex: 400,
    control: 401,
    title: 'Not a key of this broker',
    meaning: 'The request carries no key, something that is not a key, or a key that this broker does not know.',
    remedy:
      'Pass the output `key` of the mint step, whole, to the base URL of the same step: in `authorization`, `x-api-key`, `x-goog-api-key` or `api-key`.',
  },
  scope_denied: {
    status: 403,
    codex: 400,
    title: 'Outside the scope of the key',
    meaning: 'The provider, the route or the model is none that the policy names, or the job asked for less than that.',
    remedy: 'Use what the answer of the mint lists under `scope`, or have the operator add the route or the model.',
  },
  request_refused: {
    status: 400,
    codex: 400,
    title: 'The request itself is refused',
    meaning:
      'Its target, headers, framing or body could be read in more than one way, carry a second credential, or do not show the model that must be checked. Nothing was sent.',
    remedy: 'The sentence names the part. Send plain paths, one key, and one JSON object where models are limited.',
  },
  body_too_large: {
    status: 413,
    codex: 413,
    title: 'The body is too large',
    meaning:
      'A body may hold 32 MiB, 8 MiB where the model is checked, and 16 KiB when a key is minted. One that does not tell its length and passes the limit on the way costs its activation.',
    remedy: 'Send less at once.',
  },
  too_many_concurrent: {
    status: 429,
    codex: 429,
    title: 'Too many requests at once',
    meaning:
      'The key has as many open requests as its policy allows (`limits.concurrent_requests`), or the bodies that are held in memory to check their models leave no room for one more.',
    remedy: 'Wait for one of them to finish; clients that repeat after `retry-after` do so by themselves.',
  },
  upgrade_refused: {
    status: 426,
    codex: 426,
    title: 'No WebSocket here',
    meaning: 'The client asked for another protocol. Requests are counted one by one, and a WebSocket hides them.',
    remedy: 'Let the client use HTTP with server-sent events, which most fall back to by themselves.',
  },
  provider_unreachable: {
    status: 502,
    codex: 502,
    title: 'The provider was not reached',
    meaning: 'No connection could be made and not one byte was sent. The activation was given back.',
    remedy: "Try again; if it stays, the operator looks at the provider's `origin` and the way there.",
  },
  provider_failed: {
    status: 502,
    codex: 502,
    title: 'The provider broke off',
    meaning: 'The provider closed the connection or answered with what is not HTTP. The activation is spent.',
    remedy: 'Try again; the provider may have done the work all the same.',
  },
  provider_timeout: {
    status: 504,
    codex: 504,
    title: 'The provider did not answer in time',
    meaning: 'No answer began within 10 minutes, or one fell silent for 5. The activation is spent.',
    remedy: 'Ask for less in one request, or stream the answer.',
  },
  limit_exceeded: {
    status: 429,
    codex: 429,
    title: 'A limit is reached',
    meaning:
      'Of the policy when a key is minted (`keys_per_run`, `activations_per_run`, `activations_per_day`), of 60 mints a minute and repository, of 600 requests a minute and key on free routes or to a provider that is not reached, or of the memory for bodies whose senders are not known yet.',
    remedy: 'Wait, ask for fewer activations, or have the operator raise the limit. The sentence names it.',
  },
  provider_credential_rejected: {
    status: 403,
    codex: 400,
    title: 'The provider refused the credential',
    meaning: 'The provider answered 401 to the credential that the broker holds. The activation is spent.',
    remedy: 'The operator rotates the credential: `till credential rotate`. Nothing is wrong with the key.',
  },
  storage_unavailable: {
    status: 503,
    codex: 503,
    title: 'The ledger cannot be written',
    meaning: 'What is not on record is not done, so nothing was sent, minted or ended.',
    remedy: 'Try again; if it stays, the operator looks at `/readyz` and at the disk or the database.',
  },
  // Control plane
  request_invalid: {
    status: 400,
    codex: 400,
    title: 'The request is not of the expected shape',
    meaning: 'The body is not the JSON that this endpoint takes. The field is named.',
    remedy: 'Correct the field. Unknown fields are errors, so that nothing asked for is silently not given.',
  },
  token_invalid: {
    status: 401,
    codex: 401,
    title: 'The ID token does not verify',
    meaning:
      "Issuer, audience, signature, times or claims are not as they must be. The text is the same for all reasons; the operator's log has the one that applies.",
    remedy:
      "Request the token for the broker's audience (`/.well-known/till` tells it), in a job with `id-token: write`, and use it at once.",
  },
  token_replayed: {
    status: 401,
    codex: 401,
    title: 'The ID token was used before',
    meaning: 'An ID token is good for one mint, whether it was allowed or denied.',
    remedy: 'Request a fresh one for each mint.',
  },
  policy_denied: {
    status: 403,
    codex: 403,
    title: 'No policy allows this',
    meaning:
      'No policy is about this repository; or one is, and the named claim of the token or field of the request is not what it allows.',
    remedy:
      'If it is meant to be allowed, the operator changes the policy: `till policy explain` with the id in the answer shows every check.',
  },
  already_minted: {
    status: 409,
    codex: 409,
    title: 'This job has its key already',
    meaning: 'A job gets one key of a policy, ended or not: a second mint would be a second budget.',
    remedy:
      'Use the outputs of the step that minted. If none of yours did, another step of the job took the key: look at what the job runs.',
  },
  job_ended: {
    status: 409,
    codex: 409,
    title: 'The job is over',
    meaning: 'The broker knows that the job of this ID token has completed.',
    remedy: 'Mint in the job that uses the key.',
  },
  issuer_keys_unavailable: {
    status: 503,
    codex: 503,
    title: "The issuer's keys are unknown",
    meaning: 'The keys that ID tokens are checked with could not be fetched. Nothing was minted.',
    remedy: 'Try again; if it stays, the operator looks at the way from the broker to the issuer.',
  },
  credential_missing: {
    status: 503,
    codex: 503,
    title: 'The broker holds no credential for the provider',
    meaning: 'The provider is configured, its credential is not there yet. Nothing was minted.',
    remedy: 'The operator gives it: `till credential set`.',
  },
  signature_invalid: {
    status: 401,
    codex: 401,
    title: "The signature is not GitHub's",
    meaning:
      'The `X-Hub-Signature-256` of a webhook is missing, or is not that of its body under the configured secret.',
    remedy: 'Give the webhook on GitHub the secret that `github.webhook_secret` names.',
  },
  not_found: {
    status: 404,
    codex: 404,
    title: 'Nothing here',
    meaning: 'There is no such endpoint, or no key of this id that the caller may see.',
    remedy: 'Compare the URL with docs/api.md.',
  },
  method_not_allowed: {
    status: 405,
    codex: 405,
    title: 'Not with this method',
    meaning: 'The endpoint exists and does not take this method.',
    remedy: 'Use one that the `allow` header lists.',
  },
  not_ready: {
    status: 503,
    codex: 503,
    title: 'The broker is not ready',
    meaning: 'A part of the broker that the answer names does not work now, or the broker was told to stop.',
    remedy: 'Ask again in a moment. If it stays so, the operator finds the part in the log and in `GET /readyz`.',
  },
  request_timeout: {
    status: 408,
    codex: 408,
    title: 'The request did not arrive in time',
    meaning: 'The head took longer than 10 s, or the body paused for 30 s.',
    remedy: 'Send it again.',
  },
} as const satisfies Record<string, CatalogueEntry>

interface CatalogueEntry {
  readonly status: number
  /** The status for Codex, which repeats everything but a 400 (CLIENTS, 1.5). */
  readonly codex: number
  /** The status on the control plane, where it differs. */
  readonly control?: number
  readonly title: string
  /** What is the case. Markdown. */
  readonly meaning: string
  /** What a person can do. Markdown. */
  readonly remedy: string
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
