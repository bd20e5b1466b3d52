import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { activate, deadKey } from '#broker/activate.ts'
import type { Clock, Credentials, Ledger, Log, Random, RequestRecord, Rules } from '#broker/ports.ts'
import { settle } from '#broker/settle.ts'
import type { Grant } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import * as say from '#domain/sentence.ts'
import { isCodex, refusalAnswer } from '#wire/refusal-body.ts'
import { type Admitted, admit } from './admit.ts'
import { type AskedHead, askedHead, UNKNOWN_KEY } from './asked-head.ts'
import type { ClientRequest, ClientResponse } from './client.ts'
import { Exchange, type Finished } from './exchange.ts'
import { forward, type Outgoing } from './forward.ts'
import { framingFault } from './framing.ts'
import { http1Upstream } from './http1-upstream.ts'
import { KnownGrants } from './known-grants.ts'
import { type DataPlaneLimits, DEFAULT_LIMITS } from './limits.ts'
import { minuteRate } from './minute-rate.ts'
import { openRequests } from './open-requests.ts'
import { PlainRequest } from './plain-request.ts'
import type { Plane } from './plane.ts'
import { redactors } from './redactor.ts'
import { giveUp, logFault, refuse, refuseHead, STOPPING } from './refuse.ts'
import { sparingly } from './sparingly.ts'

export interface DataPlaneOptions {
  readonly ledger: Ledger
  /** The configuration as it is now; asked once per request. */
  readonly rules: () => Rules
  readonly credentials: Credentials
  readonly clock: Clock
  readonly random: Random
  /** SHA-256. */
  readonly digest: (text: string) => Uint8Array
  readonly log: Log
  /** For tests; the defaults are the contract's. */
  readonly limits?: Partial<DataPlaneLimits>
}

export interface DataPlane {
  /** Takes a request whose target begins with `/proxy/`. */
  handle(request: ClientRequest, response: ClientResponse): void
  /** Answers 426 to every upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex): void
  /** Refuses what comes, lets what is open finish for that long, then cuts it. Resolves when nothing is open. */
  drain(milliseconds: number): Promise<void>
}

export function dataPlane(options: DataPlaneOptions): DataPlane {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const open = openRequests(options.ledger, options.clock, limits.checkedBytesAtOnce, (error) =>
    logFault(options, 'heartbeat.failed', error),
  )
  const plane: Plane = {
    ...options,
    limits,
    ledgerFailed: sparingly((reason, count) => options.log.error('ledger.failed', { reason, count })),
    recordFailed: sparingly(({ key_id, type, reason }, count) =>
      options.log.error('record.failed', { key_id, type, reason, count }),
    ),
    open,
    known: new KnownGrants(),
    upstream: http1Upstream(limits),
    freeRate: minuteRate(limits.freePerMinute),
    givenBackRate: minuteRate(limits.givenBackPerMinute),
    redactorFor: redactors(),
  }
  const nextId = requestIds(options.random)
  return {
    handle(request, response) {
      const exchange = new Exchange(request, response, nextId(), limits.streamIdle)
      if (open.isDraining) exchange.refuse(STOPPING, true)
      else pass(plane, exchange).catch((error) => giveUp(plane, exchange, error))
    },
    upgrade: (request, socket) => refuseUpgrade(request, socket, nextId()),
    async drain(milliseconds) {
      await open.drain(milliseconds, STOPPING)
      await plane.upstream.close()
    },
  }
}

/**
 * The way of one request. Whatever can be wrong with it is found before it is charged; the charge is on disk before a
 * connection is tried; after the charge nothing is left that could throw.
 */
async function pass(plane: Plane, exchange: Exchange): Promise<void> {
  const { request } = exchange
  // A plain head is framed in the one way there is.
  const fault = request instanceof PlainRequest ? null : framingFault(request)
  if (fault) return exchange.refuse(fault, true)
  const head = askedHead(request, plane.limits.targetBytes)
  if (head.kind === 'refused') return refuseHead(plane, exchange, head)
  const known = plane.known.find(request.socket, head.key, exchange.startedAt)
  // Also when the grant is known: meanwhile a small body arrives, which then needs not be waited for.
  const grant = known && request.complete ? known : await (known ?? plane.ledger.find(plane.digest(head.key)))
  if (!grant) return exchange.refuse(UNKNOWN_KEY)
  if (!known) plane.known.remember(request.socket, head.key, grant, exchange.startedAt)
  // Whoever went away by now must not count as open: nothing would tell that it ended.
  if (exchange.isOver) return
  exchange.grant = grant
  exchange.whenFinished = () => plane.open.remove(exchange)

  const admitting = admit(plane, exchange, head, grant)
  const admitted = admitting instanceof Promise ? await admitting : admitting
  if (admitted.kind === 'refused') return refuse(plane, exchange, admitted)
  const outgoing = prepare(plane, exchange, admitted, head)
  if (outgoing.kind === 'refused') return refuse(plane, exchange, outgoing)
  if (exchange.isOver) return
  if (await spend(plane, exchange, outgoing)) forward(plane, exchange, outgoing)
}

/** Builds what goes out, and looks at all of it: nothing may be found wrong after the charge. */
function prepare(plane: Plane, exchange: Exchange, admitted: Admitted, head: AskedHead): Outgoing | Refusal {
  const { provider, route, model } = admitted
  const credential = plane.credentials.read(provider.name)
  const headers = credential && head.headersFor(provider, credential)
  if (!credential || !headers) return refusal('credential_missing', say.credentialMissing(provider.name))
  return {
    kind: 'outgoing',
    admitted,
    record: { requestId: exchange.id, provider: provider.name, route, model },
    headers,
    redactor: plane.redactorFor(provider, credential),
  }
}

/** @returns whether the request may go out; if not it has been answered */
async function spend(plane: Plane, exchange: Exchange, { admitted, record }: Outgoing): Promise<boolean> {
  const { grant, isFree } = admitted
  const now = plane.clock()
  if (isFree) {
    const { dead, ended } = await exchange.hear(admitFree(plane, grant, now))
    const wait = dead ? 0 : plane.freeRate.wait(grant.id, now)
    if (dead || wait > 0) {
      const why = dead
        ? deadKey(dead, grant, ended?.reason)
        : refusal('limit_exceeded', say.tooManyFree(grant, plane.limits.freePerMinute, wait), wait)
      await refuse(plane, exchange, why)
      return false
    }
    plane.freeRate.take(grant.id, now)
  } else {
    const wait = plane.givenBackRate.wait(grant.id, now)
    if (wait > 0) {
      const why = say.tooManyGivenBack(grant, plane.limits.givenBackPerMinute, wait)
      await refuse(plane, exchange, refusal('limit_exceeded', why, wait))
      return false
    }
    const activated = await exchange.hear(activate(plane.ledger, grant, record, now))
    if (activated.kind === 'denied') {
      exchange.refuse(activated.refusal)
      return false
    }
  }
  settleWhenFinished(plane, exchange, admitted, record)
  return !exchange.isOver
}

async function admitFree(plane: Plane, grant: Grant, now: NumericDate) {
  const dead = await plane.ledger.admitFree(grant, now)
  const { used, ended } = await plane.ledger.state(grant, now)
  return { dead, used, ended }
}

/** From here on its end is put on record, whatever it is. */
function settleWhenFinished(plane: Plane, exchange: Exchange, admitted: Admitted, record: RequestRecord): void {
  const { grant, isFree } = admitted
  const finish = ({ status, outcome, bytesOut, milliseconds, tokens }: Finished) => {
    plane.open.remove(exchange)
    if (exchange.isGivenBack) return
    settle(plane, grant, {
      type: 'request.finished',
      request_id: record.requestId,
      provider: record.provider,
      route: record.route,
      free: isFree,
      status,
      outcome,
      bytes_in: exchange.bytesIn,
      bytes_out: bytesOut,
      milliseconds,
      model: record.model,
      input_tokens: tokens.input,
      output_tokens: tokens.output,
    })
  }
  exchange.whenFinished = finish
  if (exchange.finished) finish(exchange.finished)
}

/** An upgrade is refused before its key is looked at (SECURITY, T22). */
function refuseUpgrade(request: IncomingMessage, socket: Duplex, requestId: string): void {
  const { originator, 'user-agent': agent } = request.headers
  const answer = refusalAnswer(UPGRADE_REFUSED, requestId, isCodex(originator as string | undefined, agent))
  const lines = [`HTTP/1.1 ${answer.status} Upgrade Required`]
  for (let i = 0; i < answer.headers.length; i += 2) lines.push(`${answer.headers[i]}: ${answer.headers[i + 1]}`)
  lines.push(`content-length: ${Buffer.byteLength(answer.body)}`, `till-request-id: ${requestId}`, 'connection: close')
  socket.on('error', () => {})
  socket.end(`${lines.join('\r\n')}\r\n\r\n${answer.body}`)
  // No server looks after this socket any more: a client that keeps its half open would keep it, and us from stopping.
  const timer = setTimeout(() => socket.destroy(), UPGRADE_LINGER)
  socket.resume().once('close', () => clearTimeout(timer))
}

/** Milliseconds in which a client may read why it got no upgrade. */
const UPGRADE_LINGER = 1_000

/** `req_` and 128 random bits in hex; the source is asked for many at once. */
function requestIds(random: Random): () => string {
  const size = 16
  let pool = Buffer.alloc(0)
  let at = 0
  return () => {
    if (at === pool.length) {
      pool = Buffer.from(random(512 * size))
      at = 0
    }
    at += size
    return `req_${pool.toString('hex', at - size, at)}`
  }
}

const UPGRADE_REFUSED = refusal('upgrade_refused', say.UPGRADE_REFUSED)
