import type { Failure } from '#client/answer.ts'
import { printable } from './printable.ts'

/**
 * A failure as sentences for the author of the job. What the broker says in it is printed escaped and cut.
 *
 * @param what could not be done, such as `mint a key`
 */
export function explain(what: string, broker: string, failure: Failure): string {
  if (failure.kind === 'unreachable')
    return (
      `Cannot ${what}: the broker at ${broker} did not answer (${failure.why}). ` +
      'Check the input broker, that the broker runs, and that this runner may reach it.'
    )
  if (failure.kind === 'nonsense')
    return (
      `Cannot ${what}: ${broker} does not answer as a broker of Till does (${printable(failure.why)}). ` +
      'Check the input broker, and what stands between this runner and the broker.'
    )
  const { problem, status } = failure
  if (problem === null)
    return (
      `Cannot ${what}: ${broker} answered with status ${status}, and not as a broker of Till does. ` +
      'Check the input broker, and what stands between this runner and the broker.'
    )
  const said = printable(problem.detail)
    .replace(/^Cannot [^:]{1,40}: /, '')
    .replace(/[.\s]+$/, '')
  const remedy = REMEDIES[problem.code]
  return `Cannot ${what}: ${said} (${problem.code}).${remedy === undefined ? '' : ` ${remedy}`}`
}

/** What a person can do, by the code of the problem. */
const REMEDIES: Readonly<Record<string, string>> = {
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
  storage_unavailable: "Nothing was minted. Run the job again, and tell the broker's operator.",
  issuer_keys_unavailable: "Nothing was minted. Run the job again, and tell the broker's operator.",
  credential_missing: "Tell the broker's operator to enrol it with `till credential set`.",
}
