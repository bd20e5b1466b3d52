import type { Grant } from '#domain/grant.ts'
import { jobKey } from '#domain/job-identity.ts'
import { isKey, KEY_ID } from '#domain/key.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import { identifyJob } from './identify-job.ts'
import type { Ports } from './ports.ts'

/** What a caller shows to be let near a grant: the key itself, or an ID token of the job that minted it. */
export type Proof =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'token'; readonly idToken: string }

/** Says nothing that depends on whether the key ever existed. */
export const KEY_INVALID = refusal(
  'key_invalid',
  'This is not a live key of this broker. Send it as `Authorization: Bearer till_…`.',
)

/** The same for an id that never was and for one that belongs to somebody else. */
const NO_SUCH_KEY = refusal('not_found', 'There is no key with this id that belongs to the key or the job that asks.')

/** The grant of a key, alive or ended. */
export async function findByKey(broker: Pick<Ports, 'ledger' | 'digest'>, key: string): Promise<Grant | Refusal> {
  if (!isKey(key)) return KEY_INVALID
  return (await broker.ledger.find(broker.digest(key))) ?? KEY_INVALID
}

/** The grant with this id, alive or ended, if the proof is of that very key, or of the job that minted it. */
export async function findByProof(
  broker: Pick<Ports, 'ledger' | 'digest' | 'verifier'>,
  id: string,
  proof: Proof,
): Promise<Grant | Refusal> {
  if (proof.kind === 'key') {
    const grant = await findByKey(broker, proof.key)
    return isRefusal(grant) || grant.id === id ? grant : NO_SUCH_KEY
  }
  const caller = await identifyJob(broker, proof.idToken)
  if (caller.kind === 'refused') return caller
  const grant = KEY_ID.test(id) ? await broker.ledger.findById(id) : null
  return grant && jobKey(grant.job) === jobKey(caller.job) ? grant : NO_SUCH_KEY
}

export function isRefusal(value: object): value is Refusal {
  return 'kind' in value && value.kind === 'refused'
}
