import type { RequestRecord } from '#broker/ports.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import * as say from '#domain/sentence.ts'
import { type Admitted, bodyRefusal } from './admit.ts'
import type { Exchange, ProviderFault } from './exchange.ts'
import type { Plane } from './plane.ts'
import type { Redactor } from './redactor.ts'
import { giveUp, refuse } from './refuse.ts'
import { arrivedBody, PassingBody } from './request-body.ts'
import type { UpstreamRequest } from './upstream.ts'

/** A request that may go out: nothing of it can fail before a connection is tried. */
export interface Outgoing {
  readonly kind: 'outgoing'
  readonly admitted: Admitted
  readonly record: RequestRecord
  /** Name, value, name, value. */
  readonly headers: readonly string[]
  readonly redactor: Redactor
}

/** Sends what was charged, and lets the answer come. */
export function forward(plane: Plane, exchange: Exchange, outgoing: Outgoing): void {
  const { admitted, headers, redactor } = outgoing
  const { origin } = admitted.provider
  const method = exchange.request.method!
  const body = outgoingBody(plane, exchange, admitted)
  exchange.forward(
    {
      redactor,
      refusalFor: (fault) => providerRefusal(plane, fault, admitted.provider.name),
      unreachable: (reason) =>
        void giveBack(plane, exchange, outgoing, reason).catch((error) => giveUp(plane, exchange, error)),
    },
    (reader) => plane.upstream.send({ origin, method, path: admitted.target, headers, body }, reader),
  )
}

function outgoingBody(plane: Plane, exchange: Exchange, admitted: Admitted): UpstreamRequest['body'] {
  const { announced, read } = admitted.body
  const body = read ?? arrivedBody(exchange.request, announced)
  if (body) {
    exchange.bytesIn = body.length
    return body.length > 0 ? body : null
  }
  exchange.letBodyCome()
  const { bodyBytes: most, bodyIdle: idle } = plane.limits
  const stream = new PassingBody(
    exchange.request,
    { most, idle },
    {
      took: (length) => {
        exchange.bytesIn += length
      },
      failed: (fault) => {
        if (fault === 'broken') exchange.request.destroy()
        else exchange.cut(bodyRefusal(plane, fault, false))
      },
    },
  )
  return { length: announced, stream }
}

/** Not one byte left: the activation is there again. */
async function giveBack(
  plane: Plane,
  exchange: Exchange,
  { admitted, record }: Outgoing,
  reason: 'dns' | 'connect' | 'tls',
): Promise<void> {
  const { grant, provider, isFree } = admitted
  const now = plane.clock()
  plane.log.warn('provider.unreachable', { provider: provider.name, reason })
  const refused = refusal('provider_unreachable', say.providerUnreachable(provider.name, reason))
  exchange.isGivenBack = true
  if (isFree) return refuse(plane, exchange, refused)
  plane.givenBackRate.take(grant.id, now)
  try {
    await plane.ledger.giveBack(grant, record.requestId, reason, now)
  } catch (error) {
    // What is not certain to be given back stays spent, and has an end like any other.
    exchange.isGivenBack = false
    if (exchange.finished) exchange.whenFinished?.(exchange.finished)
    throw error
  }
  exchange.used = (await plane.ledger.state(grant, now)).used
  exchange.refuse(refused)
}

function providerRefusal(plane: Plane, fault: ProviderFault, provider: string): Refusal {
  plane.log.warn(`provider.${fault}`, { provider })
  switch (fault) {
    case 'credential_rejected':
      return refusal('provider_credential_rejected', say.credentialRejected(provider))
    case 'provider_timeout':
      return refusal('provider_timeout', say.providerTimeout(provider, plane.limits.firstByte))
    case 'provider_failed':
      return refusal('provider_failed', say.providerFailed(provider))
  }
}
