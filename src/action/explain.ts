import type { Failure } from '#client/answer.ts'
import { printable } from './printable.ts'

/** What could not be done, and what a person can do about it. */
export interface Act {
  /** Such as `mint a key`. */
  readonly what: string
  /** When there was no answer, or none of a broker of Till. */
  readonly unanswered: string
  readonly strange: string
  /** By the code of the problem. */
  readonly refused: Readonly<Record<string, string>>
  /** When the problem has another code. */
  readonly otherwise?: string
}

/** A failure as sentences for the author of the job. What the broker says in it is printed escaped and cut. */
export function explain(act: Act, broker: string, failure: Failure): string {
  const cannot = `Cannot ${act.what}:`
  if (failure.kind === 'unreachable')
    return `${cannot} the broker at ${broker} did not answer (${failure.why}). ${act.unanswered}`
  if (failure.kind === 'nonsense')
    return `${cannot} ${broker} does not answer as a broker of Till does (${printable(failure.why)}). ${act.strange}`
  const { problem, status } = failure
  if (problem === null)
    return `${cannot} ${broker} answered with status ${status}, and not as a broker of Till does. ${act.strange}`
  const said = printable(problem.detail)
    .replace(/^Cannot [^:]{1,40}: /, '')
    .replace(/[.\s]+$/, '')
  const remedy = act.refused[problem.code] ?? act.otherwise
  return `${cannot} ${said} (${problem.code}).${remedy === undefined ? '' : ` ${remedy}`}`
}

const BETWEEN = 'Check the input broker, and what stands between this runner and the broker.'
const NOT_WELL = "Run the job again, and tell the broker's operator."

export const MINT: Act = {
  what: 'mint a key',
  unanswered: 'Check the input broker, that the broker runs, and that this runner may reach it.',
  strange: BETWEEN,
  refused: {
    request_invalid: 'Check the inputs of this step.',
    token_invalid:
      'Check that the broker trusts the issuer of this server and that its public_url has the origin of the input broker.',
    token_replayed: 'Run the job again.',
    policy_denied: "Ask the broker's operator for a policy that covers this job, or ask for less.",
    already_minted:
      'One job has one budget under each policy: use the outputs of the step that minted first, or name another policy with the input policy.',
    job_ended: 'Run the job again.',
    not_found: 'Check the input broker: it is the public_url of the broker, with its path.',
    limit_exceeded: "Wait until other jobs have ended, or ask the broker's operator to raise the policy's limits.",
    storage_unavailable: NOT_WELL,
    issuer_keys_unavailable: NOT_WELL,
    credential_missing: "Tell the broker's operator to enrol it with `till credential set`.",
  },
}

/** Post asks for the key of a mint whose answer main did not get. */
export const FIND: Act = {
  what: 'ask for the key again, to end it',
  unanswered: "If that key may not live on, tell the broker's operator.",
  strange: BETWEEN,
  refused: {
    already_minted: 'The key that this job has or had is over, or was used, or is that of another step.',
    job_ended: 'The broker ends the keys of a job that is over.',
  },
  otherwise: "If that key may not live on, tell the broker's operator.",
}

export function revoking(keyId: string): Act {
  const operator = `If it may not live on, the broker's operator ends it with \`till keys revoke ${keyId}\`.`
  return { what: `revoke key ${keyId}`, unanswered: operator, strange: operator, refused: {}, otherwise: operator }
}
