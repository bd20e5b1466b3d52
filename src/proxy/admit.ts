import type { Grant } from '#domain/grant.ts'
import type { Provider } from '#domain/provider.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import { modelIsAllowed } from '#domain/scope.ts'
import * as say from '#domain/sentence.ts'
import { modelOfPath } from '#domain/target.ts'
import type { AskedHead, PlacedHead } from './asked-head.ts'
import { modelOfBody } from './checked-model.ts'
import type { ClientRequest } from './client.ts'
import type { Asked, Exchange } from './exchange.ts'
import type { Plane } from './plane.ts'
import { STOPPING } from './refuse.ts'
import { announcedLength, arrivedBody, type BodyFault, type WholeBodyFault, wholeBody } from './request-body.ts'

/** What a key's scope admits, before it is charged. */
export interface Admitted {
  readonly kind: 'admitted'
  readonly grant: Grant
  readonly provider: Provider
  /** The template that admits it, such as `POST /v1/responses`. */
  readonly route: string
  readonly isFree: boolean
  readonly model: string | null
  /** The path in the provider's own spelling, and the query: exactly what is sent. */
  readonly target: string
  readonly body: AdmittedBody
}

/** A body that was read, or that will be. */
export interface AdmittedBody {
  /** Bytes that the head announces; `null` when it is chunked. */
  readonly announced: number | null
  /** All of it; `null` when some has not arrived. */
  readonly read: Buffer | null
}

type PlacedInside = Extract<PlacedHead, { kind: 'inside' }>

/**
 * Whether the scope of a key admits a request, with as much of the body read as that takes.
 *
 * @returns a promise only when the body must be waited for, which few requests have to: it costs as much as the checks
 */
export function admit(
  plane: Plane,
  exchange: Exchange,
  head: AskedHead,
  grant: Grant,
): Admitted | Refusal | Promise<Admitted | Refusal> {
  const placed = head.placed(plane.rules(), grant)
  const asked = exchange.asks(head.target.provider, placed.asked)
  if (placed.kind === 'outside') return refusal('scope_denied', say.outsideScope(grant, asked, placed.what))
  if (plane.open.isDraining) return STOPPING
  if (!plane.open.add(exchange, grant)) return refusal('too_many_concurrent', say.tooManyConcurrent(grant), 1)

  const { request } = exchange
  const body = readBody(plane, exchange, placed.checked === 'body')
  if (body instanceof Promise) return body.then((read) => admitBody(plane, request, grant, asked, placed, read))
  return admitBody(plane, request, grant, asked, placed, body)
}

function admitBody(
  plane: Plane,
  request: ClientRequest,
  grant: Grant,
  asked: Asked,
  { provider, route, isFree, checked, path, target }: PlacedInside,
  body: AdmittedBody | WholeBodyFault,
): Admitted | Refusal {
  if (body === 'no_room') return refusal('too_many_concurrent', say.tooManyBodies(grant), 1)
  if (typeof body === 'string') return bodyRefusal(plane, body, checked === 'body')

  if (provider.model === 'path') asked.model = modelOfPath(path)
  else if (provider.model === 'body' && body.read && body.read.length > 0) {
    const found = modelOfBody(request.rawHeaders, body.read)
    if (found.kind === 'model') asked.model = found.model
    else if (checked) return refusal('request_refused', say.bodyRefused(grant, found.fault))
  } else if (checked === 'body') return refusal('request_refused', say.bodyRefused(grant, 'it is empty'))
  if (checked && (asked.model === null || !modelIsAllowed(grant.scope, asked.model)))
    return refusal('scope_denied', say.modelOutsideScope(grant, asked))

  return { kind: 'admitted', grant, provider, route, isFree, model: asked.model, target, body }
}

/** @param isChecked whether all of it is needed now; else what has arrived is taken only if that is all */
function readBody(
  plane: Plane,
  exchange: Exchange,
  isChecked: boolean,
): AdmittedBody | WholeBodyFault | Promise<AdmittedBody | WholeBodyFault> {
  const { request } = exchange
  const { bodyBytes, checkedBodyBytes, bodyIdle } = plane.limits
  const most = isChecked ? checkedBodyBytes : bodyBytes
  const announced = announcedLength(request)
  if (announced !== null && announced > most) return 'too_large'
  const arrived = announced === 0 ? EMPTY : arrivedBody(request, announced)
  if (arrived) return arrived.length > most ? 'too_large' : { announced, read: arrived }
  if (!isChecked) return { announced, read: null }
  exchange.letBodyCome()
  const whole = wholeBody(request, { most, idle: bodyIdle }, (bytes) => plane.open.hold(exchange, bytes))
  return whole.then((read) => (typeof read === 'string' ? read : { announced, read }))
}

const EMPTY = Buffer.alloc(0)

/** What is said of a body that was not taken. */
export function bodyRefusal(plane: Pick<Plane, 'limits'>, fault: BodyFault, isChecked: boolean): Refusal {
  const { bodyBytes, checkedBodyBytes, bodyIdle } = plane.limits
  if (fault === 'too_large')
    return refusal('body_too_large', say.bodyTooLarge(isChecked ? checkedBodyBytes : bodyBytes, isChecked))
  return refusal('request_refused', fault === 'idle' ? say.bodyIdle(bodyIdle) : say.BODY_BROKEN)
}
