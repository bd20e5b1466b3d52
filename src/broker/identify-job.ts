import { type Job, jobIdentity } from '#domain/job-identity.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import type { Ports, TokenUse } from './ports.ts'

/** A job that has proved itself by an ID token. */
export interface IdentifiedJob {
  readonly kind: 'job'
  readonly job: Job
  /** What a mint consumes. Revoking and reading a receipt leave it be. */
  readonly token: TokenUse
}

/** The one answer to every token that does not verify, so that nobody learns from it which check failed. */
export const TOKEN_INVALID = refusal(
  'token_invalid',
  "The ID token does not verify. Request one from GitHub for this broker's audience, just before it is used: " +
    '`permissions: id-token: write` in the job, and `GET /.well-known/till` names the audience.',
)

/**
 * Turns an ID token into the job that it proves.
 *
 * @returns `token_invalid`, in one text for all reasons, a token without the claims that name a job among them; or
 *   `issuer_keys_unavailable`
 */
export async function identifyJob(broker: Pick<Ports, 'verifier'>, idToken: string): Promise<IdentifiedJob | Refusal> {
  const verified = await broker.verifier.verify(idToken)
  if (verified.kind === 'refused') return verified.code === 'token_invalid' ? TOKEN_INVALID : verified
  const job = jobIdentity(verified.claims, verified.checkRunId)
  if ('missing' in job) return TOKEN_INVALID
  const { jti, expiresAt } = verified
  return { kind: 'job', job, token: { issuer: job.issuer, jti, repositoryId: job.repositoryId, expiresAt } }
}
