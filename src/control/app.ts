import type { IncomingMessage, ServerResponse } from 'node:http'
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express'
import { isRefusal } from '#broker/find-grant.ts'
import { reasonOf, StorageUnavailable } from '#broker/ports.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import { authentication, type ProofFor } from './authentication.ts'
import { type Call, CONTROL_LIMITS, type ControlLimits, type ControlOptions, type Outcome } from './call.ts'
import { health, readiness } from './health.ts'
import { describeOwnKey, mintKey, revokeKey, showReceipt } from './keys.ts'
import { send } from './problem.ts'
import { ClientGone, hasBody, readBody } from './read-body.ts'
import { malformed } from './request-form.ts'
import { receiveWebhook } from './webhook.ts'
import { discover, publicKeys } from './well-known.ts'

/** One thing that the control plane does, and what its caller has to show. */
type Row = {
  [A in keyof ProofFor]: {
    readonly method: 'GET' | 'POST' | 'DELETE'
    readonly path: string
    readonly authentication: A
    /** Which limit its body has; `bodyBytes` unless said otherwise. */
    readonly body?: 'webhookBytes'
    readonly handle: (call: Call<ProofFor[A]>) => Promise<Outcome>
  }
}[keyof ProofFor]

/** All of the control plane. `self` stands before what takes an id. */
const routes: readonly Row[] = [
  { method: 'GET', path: '/healthz', authentication: 'none', handle: health },
  { method: 'GET', path: '/readyz', authentication: 'none', handle: readiness },
  { method: 'GET', path: '/.well-known/till', authentication: 'none', handle: discover },
  { method: 'GET', path: '/.well-known/jwks.json', authentication: 'none', handle: publicKeys },
  { method: 'POST', path: '/v1/keys', authentication: 'ID token', handle: mintKey },
  { method: 'GET', path: '/v1/keys/self', authentication: 'key', handle: describeOwnKey },
  { method: 'DELETE', path: '/v1/keys/:id', authentication: 'key or ID token', handle: revokeKey },
  {
    method: 'POST',
    path: '/v1/webhooks/github',
    authentication: 'signature',
    body: 'webhookBytes',
    handle: receiveWebhook,
  },
  { method: 'GET', path: '/v1/keys/:id/receipt', authentication: 'key or ID token', handle: showReceipt },
]

/**
 * Everything of the public listener but the data plane. Takes any request; every error that it answers is
 * `application/problem+json` (RFC 9457), and a fault is an error, not a page with a stack.
 */
export function controlPlane(options: ControlOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const limits = { ...CONTROL_LIMITS, ...options.limits }
  const app = express()
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing')
  app.set('query parser', false)

  app.use(refuseMalformed(limits))
  for (const row of routes) app[verb(row)](row.path, serveRow(row, options, limits))
  for (const path of new Set(routes.map((row) => row.path))) app.all(path, refuseMethod(path))
  app.use((_request, response) => send(response, refusal('not_found', 'There is nothing at this address.')))
  app.use(answerFault(options))
  return app
}

function verb({ method }: Row): 'get' | 'post' | 'delete' {
  return method.toLowerCase() as 'get' | 'post' | 'delete'
}

function refuseMalformed({ targetBytes }: ControlLimits): RequestHandler {
  return (request, response, next) => {
    const objection = malformed(request, targetBytes)
    if (objection) send(response, objection, { connection: 'close' })
    else next()
  }
}

/** The whole request is read first, so that no answer leaves bytes of it behind; then the row is served. */
function serveRow(row: Row, control: ControlOptions, limits: ControlLimits): RequestHandler {
  const bodyBytes = limits[row.body ?? 'bodyBytes']
  const room = { bytes: limits.heldBytes }
  return async (request, response) => {
    const body = row.method === 'POST' ? await readBody(request, { ...limits, bodyBytes }, room) : noBody(request)
    send(response, isRefusal(body) ? body : await outcomeOf(row, control, request, body))
  }
}

async function outcomeOf<A extends keyof ProofFor>(
  row: Extract<Row, { authentication: A }>,
  control: ControlOptions,
  request: Request,
  body: Uint8Array,
): Promise<Outcome> {
  const proof = authentication[row.authentication](request.headers.authorization)
  if (proof !== null && isRefusal(proof)) return proof
  const id = String(request.params['id'] ?? '')
  const idempotencyKey = request.get('idempotency-key') ?? null
  return (row.handle as (call: Call<ProofFor[A]>) => Promise<Outcome>)({
    control,
    proof: proof as ProofFor[A],
    id,
    body,
    idempotencyKey,
    headers: request.headers,
  })
}

const NOTHING = new Uint8Array()

function noBody(request: Request): Uint8Array | Refusal {
  return hasBody(request)
    ? refusal('request_refused', 'Cannot read the request: expected no body with this method.')
    : NOTHING
}

function refuseMethod(path: string): RequestHandler {
  const methods: string[] = routes.filter((row) => row.path === path).map(({ method }) => method)
  // Whatever answers GET answers HEAD.
  const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
  return (request, response) =>
    send(response, refusal('method_not_allowed', `Cannot ${request.method} here: expected ${allow}.`), { allow })
}

/** Four parameters are how Express knows it. The fault goes to the operator, not to who asked. */
function answerFault(control: ControlOptions): ErrorRequestHandler {
  return (error: unknown, request: Request, response: Response, _next) => {
    if (error instanceof ClientGone) return
    if (isBadEscape(error))
      return send(response, refusal('request_refused', 'Cannot read the request: a percent escape is broken.'))
    control.log.error('control.fault', {
      route: `${request.method} ${request.route?.path ?? ''}`,
      reason: reasonOf(error),
    })
    send(response, error instanceof StorageUnavailable ? STORAGE_UNAVAILABLE : FAULT)
  }
}

/** What Express makes of a path parameter that does not decode. */
function isBadEscape(error: unknown): boolean {
  return error instanceof URIError
}

const STORAGE_UNAVAILABLE = refusal(
  'storage_unavailable',
  'Cannot answer: the broker cannot read or write its ledger now, and nothing was given. Try again in a moment.',
)
/** Closed like the other, without saying what is not known to be true. */
const FAULT = refusal(
  'storage_unavailable',
  'Cannot answer: something in the broker failed, and its log names it. Nothing was given. Try again in a moment.',
)
