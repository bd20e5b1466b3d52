import { recordable } from './audit-event.ts'
import type { DeadReason, EndReason, Grant } from './grant.ts'

/** What the data plane says to people. Each says what happened, with its names and numbers, and what can be done. */

type Holder = Pick<Grant, 'id' | 'policy'>
type Mortal = Pick<Grant, 'id' | 'policy' | 'limit' | 'idleAfterSeconds'>

interface Asked {
  readonly provider: string
  readonly route: string
  readonly model: string | null
}

/** Nothing here depends on whether the key ever existed. */
export const UNKNOWN_KEY =
  'This is not a key of this broker. Send the key that the mint step of this job put out; keys of other jobs, other brokers or the provider itself do not work here.'

export const KEY_IN_TARGET =
  'The request is refused: its target holds the key. Send the key in a header, such as "authorization: Bearer <key>".'

export const UPGRADE_REFUSED =
  'A connection cannot be upgraded here: one activation is one HTTP request. Switch WebSockets off in the client; it then uses plain HTTP.'

/** Why a key that is known may not be used any more; `ended`: how it ended, where that is known. */
export function deadKey(code: DeadReason, grant: Mortal, ended: EndReason | null): string {
  switch (code) {
    case 'activations_exhausted':
      return `All ${grant.limit} activations of key ${grant.id} are spent (policy "${grant.policy}"). Ask for more with activations:, or raise the policy.`
    case 'key_expired':
      return keyExpired(grant, ended)
    case 'key_revoked':
      return `Key ${grant.id} was revoked (policy "${grant.policy}"): its job has ended, or somebody ended it. A new job mints a new key.`
  }
}

function keyExpired({ id, policy, idleAfterSeconds }: Mortal, ended: EndReason | null): string {
  const idle = `had no request for ${idleAfterSeconds} s`
  if (ended === 'idle')
    return `Key ${id} is over: it ${idle} (policy "${policy}"). Mint it closer to where it is used, or raise idle_after in the policy.`
  if (ended === 'expired' || idleAfterSeconds === null)
    return `The time of key ${id} is over: it has expired (policy "${policy}"). Ask for more with expires-in:, or raise the policy.`
  return `The time of key ${id} is over: it has expired, or ${idle} (policy "${policy}"). Ask for more with expires-in:, or raise expires_in or idle_after in the policy.`
}

export function outsideScope(holder: Holder, asked: Asked, what: 'provider' | 'route'): string {
  return what === 'provider'
    ? `Provider "${asked.provider}" is outside the scope of key ${holder.id} (policy "${holder.policy}"). Ask for it with provider:, or add it to the policy.`
    : `${recordable(asked.route)} of provider "${asked.provider}" is outside the scope of key ${holder.id} (policy "${holder.policy}"). Add the route to the policy, and to routes: if the job names any.`
}

export function modelOutsideScope(holder: Pick<Grant, 'id' | 'policy' | 'scope'>, asked: Asked): string {
  const named = asked.model === null ? 'A request that names no model' : `Model "${recordable(asked.model)}"`
  const allowed = holder.scope.models ?? []
  const some = allowed.slice(0, 8).join(', ') + (allowed.length > 8 ? ', …' : '')
  return `${named} is outside the scope of key ${holder.id} at provider "${asked.provider}" (policy "${holder.policy}"). Use one of ${some}, or add the model to the policy.`
}

export function bodyRefused(holder: Holder, fault: string): string {
  return `The body of the request is refused: ${fault}. Key ${holder.id} is limited to some models (policy "${holder.policy}"), so the body must be one JSON object (application/json, UTF-8, not encoded) with one "model".`
}

export function bodyTooLarge(most: number, isChecked: boolean): string {
  const why = isChecked ? ' when the model is checked' : ''
  return `The body of the request is larger than the ${most / 1_048_576} MiB that are taken${why}. Send less at once.`
}

export function bodyIdle(milliseconds: number): string {
  return `The body of the request stopped for ${milliseconds / 1000} s before it was complete. Send it again.`
}

export const BODY_BROKEN = 'The body of the request broke off. Send it again.'

export function tooManyConcurrent(grant: Pick<Grant, 'id' | 'policy' | 'concurrentRequests'>): string {
  return `Key ${grant.id} has ${grant.concurrentRequests} requests open, and may have no more at once (policy "${grant.policy}"). Try again when one has finished, or raise concurrent_requests in the policy.`
}

export function tooManyFree(holder: Holder, most: number, seconds: number): string {
  return `Key ${holder.id} has made ${most} free requests in this minute, and may make no more (policy "${holder.policy}"). Try again in ${seconds} s.`
}

export function tooManyGivenBack(holder: Holder, most: number, seconds: number): string {
  return `Key ${holder.id} has made ${most} requests in this minute that reached no provider, and may make no more (policy "${holder.policy}"). No activation was spent. Try again in ${seconds} s.`
}

export function tooManyBodies(holder: Holder): string {
  return `The broker holds as many request bodies as it has room for, of key ${holder.id} or of all keys (policy "${holder.policy}"). Try again when some requests have finished.`
}

export function credentialMissing(provider: string): string {
  return `The broker holds no credential for provider "${provider}" that can be sent, so nothing was sent. Its operator sets one with: till credential set ${provider}`
}

export function credentialRejected(provider: string): string {
  return `Provider "${provider}" refused the broker's credential (401). The key of this job is fine; the operator of the broker has to renew the credential.`
}

export function providerUnreachable(provider: string, reason: 'dns' | 'connect' | 'tls'): string {
  return `Provider "${provider}" was not reached (${reason}). Nothing was sent and no activation was spent. Try again in a while.`
}

export function providerFailed(provider: string): string {
  return `Provider "${provider}" broke off, or answered in a way that cannot be passed on. The request was sent and counts. Try again if an activation is left.`
}

export function providerTimeout(provider: string, milliseconds: number): string {
  return `Provider "${provider}" did not answer within ${milliseconds / 1000} s. The request was sent and counts. Try again if an activation is left.`
}
