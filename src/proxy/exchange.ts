import type { Grant } from '#domain/grant.ts'
import type { Refusal } from '#domain/refusal.ts'
import { isCodex, refusalAnswer } from '#wire/refusal-body.ts'
import { type AnswerHead, answerHead } from './answer-head.ts'
import { type ClientRequest, type ClientResponse, header } from './client.ts'
import { type Departure, leaveTogether } from './departures.ts'
import type { OpenRequest, Place } from './open-requests.ts'
import type { Redactor } from './redactor.ts'
import type { AnswerReader, UpstreamCall, UpstreamFailure } from './upstream.ts'
import type { Tokens } from './usage-names.ts'
import { UsageReader } from './usage-reader.ts'

/** How an exchange ended. */
export interface Finished {
  /** What the client got; `null` when it went away before. */
  readonly status: number | null
  readonly outcome: Outcome
  readonly bytesOut: number
  readonly milliseconds: number
  readonly tokens: Tokens
}

/** What only the provider can be blamed for. */
export type ProviderFault = 'provider_failed' | 'provider_timeout' | 'credential_rejected'
export type Outcome = 'answered' | 'client_gone' | 'cut' | ProviderFault

/** What is asked for, as it stands in events: method and path without the query. */
export interface Asked {
  readonly provider: string
  readonly route: string
  model: string | null
}

/** What decides about an answer that does not come, or comes wrong. */
export interface Forwarding {
  readonly redactor: Redactor
  /** The answer in place of the provider's. */
  refusalFor(fault: ProviderFault): Refusal
  /** Not one byte was sent. Answers by {@link Exchange.refuse}. */
  unreachable(reason: 'dns' | 'connect' | 'tls'): void
}

/** Bytes. An answer of at most this announced length waits for its end, so that it leaves in one write. */
const SMALL_ANSWER = 65_536

/**
 * One request of a client and its one answer: a refusal, or the provider's. Until the head of the answer is written it
 * can be refused; from then on it can only be cut.
 */
export class Exchange implements AnswerReader, Departure, OpenRequest {
  readonly request: ClientRequest
  readonly response: ClientResponse
  readonly id: string
  /** Milliseconds of `performance.now()`. */
  readonly startedAt = performance.now()
  /** `null` until the key is known. */
  grant: Grant | null = null
  /** `null` until the target has been read. */
  asked: Asked | null = null
  /** Activations that count now, this request's included; `null` while that is not known. */
  used: number | null = null
  /** Bytes of the request's body. */
  bytesIn = 0
  isGivenBack = false
  place: Place | null = null
  /** Called once, when the answer has left or the client has gone. */
  whenFinished: ((finished: Finished) => void) | null = null

  /** Milliseconds that a client may take nothing of its answer. */
  readonly #stallLimit: number
  readonly #usage = new UsageReader()
  #forwarding: Forwarding | null = null
  #call: UpstreamCall | null = null
  #outcome: Outcome | null = null
  #finished: Finished | null = null
  #status = 0
  #isContinued = false
  #isHearing = false
  /** Came while the ledger was heard. */
  #heldCut: Refusal | null = null
  /** Read and not written yet. */
  #head: AnswerHead | null = null
  /** A small answer that is complete. */
  #whole: Buffer | null = null
  #bytesOut = 0
  #stall: NodeJS.Timeout | null = null

  constructor(request: ClientRequest, response: ClientResponse, id: string, stallLimit: number) {
    this.request = request
    this.response = response
    this.id = id
    this.#stallLimit = stallLimit
    response.on('close', this.#closed)
    response.on('error', ignore)
    // The answer to a pipelined request has no socket yet, and so would not hear that it closes.
    if (!response.socket) request.socket.setMaxListeners(0).once('close', this.#closed)
  }

  /** How it ended; `null` while it has not. */
  get finished(): Finished | null {
    return this.#finished
  }

  /** Whether an answer has been given, or there is nobody to give it to. */
  get isOver(): boolean {
    return this.#finished !== null || this.response.headersSent
  }

  /** Says what is asked for. */
  asks(provider: string, route: string): Asked {
    this.asked = { provider, route, model: null }
    return this.asked
  }

  /** Tells a client that waits for it to send its body. */
  letBodyCome(): void {
    if (this.isOver || header(this.request.rawHeaders, 'expect') === undefined) return
    this.#isContinued = true
    this.response.writeContinue()
  }

  /** Answers with a refusal, unless there is an answer already. */
  refuse(refused: Refusal, isClosing = false): void {
    if (this.isOver) return
    const { rawHeaders } = this.request
    const isOfCodex = isCodex(header(rawHeaders, 'originator'), header(rawHeaders, 'user-agent'))
    const answer = refusalAnswer(refused, this.id, isOfCodex)
    const head = [...answer.headers, 'content-length', String(Buffer.byteLength(answer.body))]
    // A client that was not told to send its body may send it all the same, or not: the next request starts nowhere.
    if (isClosing || (!this.#isContinued && header(rawHeaders, 'expect') !== undefined))
      head.push('connection', 'close')
    this.#addOwnHeaders(head)
    this.#head = null
    this.#status = answer.status
    this.response.writeHead(answer.status, head)
    this.response.end(answer.body, 'utf8')
  }

  /**
   * Waits for what the ledger says of this request. It may find the key expired, and then tells of the ending before it
   * answers: the cut waits for the answer, which has the numbers of the key.
   */
  async hear<T extends { readonly used: number }>(answer: Promise<T>): Promise<T> {
    this.#isHearing = true
    try {
      const heard = await answer
      this.used = heard.used
      return heard
    } finally {
      this.#isHearing = false
      if (this.#heldCut) this.#breakOff('cut', this.#heldCut)
    }
  }

  /** Breaks it off because of something that has nothing to do with the provider. */
  cut(refused: Refusal): void {
    if (this.#isHearing) this.#heldCut = refused
    else this.#breakOff('cut', refused)
  }

  /** Takes the provider's answer from here on. */
  forward(forwarding: Forwarding, send: (reader: AnswerReader) => UpstreamCall): void {
    this.#forwarding = forwarding
    const call = send(this)
    if (this.isOver) call.abort()
    else this.#call = call
  }

  onHead(status: number, headers: readonly string[]): void {
    const head = status === 401 ? null : answerHead(status, headers, this.#forwarding!.redactor)
    if (!head) {
      this.#fail(status === 401 ? 'credential_rejected' : 'provider_failed')
      return
    }
    this.#status = status
    this.#usage.begin(headers)
    this.#addOwnHeaders(head.headers)
    this.#head = head
    if (head.length !== null && head.length <= SMALL_ANSWER) return
    // The head of a stream leaves at once, and with the first event if that came along.
    process.nextTick(() => {
      if (!this.#head || this.isOver) return
      this.#writeHead()
      this.response.flushHeaders()
    })
  }

  onData(chunk: Buffer): void {
    // Before the redactor, which may hold bytes back until the end and writes into them.
    this.#usage.push(chunk)
    const safe = this.#forwarding!.redactor.push(chunk)
    if (safe.length === 0) return
    if (this.#head?.length === safe.length && safe.length <= SMALL_ANSWER) {
      this.#whole = safe
      return
    }
    this.#writeHead()
    this.#bytesOut += safe.length
    if (!this.response.write(safe)) this.#waitForClient()
  }

  onEnd(): void {
    this.#call = null
    if (this.#whole) leaveTogether(this)
    else this.#end()
  }

  /** Writes an answer that has waited, if it is still wanted. */
  leave(): void {
    if (this.isOver) return
    try {
      this.#end()
    } catch {
      // As while an answer is read: a fault is the end of this one, not of the broker.
      this.#fail('provider_failed')
    }
  }

  #end(): void {
    const rest = this.#forwarding!.redactor.end()
    this.#writeHead()
    const last = this.#whole ?? rest
    this.#bytesOut += last.length
    // As text it leaves in one write with its head; bytes would be a second one.
    this.response.end(last.toString('latin1'), 'latin1')
  }

  onFailure(failure: UpstreamFailure): void {
    this.#call = null
    if (failure.kind === 'unreachable') this.#forwarding!.unreachable(failure.reason)
    else this.#fail(failure.kind === 'timeout' ? 'provider_timeout' : 'provider_failed')
  }

  #fail(fault: ProviderFault): void {
    this.#breakOff(fault, this.#forwarding!.refusalFor(fault))
  }

  /** Answers with a refusal while that is possible; after the head only breaking the connection tells the client. */
  #breakOff(outcome: Outcome, refused: Refusal): void {
    // An answer that has ended is not over while its client reads none of it: nothing else would free its connection.
    if (this.#finished || this.response.writableFinished) return
    this.#call?.abort()
    this.#call = null
    this.#outcome ??= outcome
    if (this.response.headersSent) this.#breakConnection()
    else this.refuse(refused)
  }

  #breakConnection(): void {
    // HTTP/1.0 ends a body by closing: only a reset says that it is not the end.
    if (this.request.httpVersionMinor === 0) this.request.socket.resetAndDestroy()
    else this.response.destroy()
  }

  #writeHead(): void {
    const head = this.#head
    if (!head) return
    this.#head = null
    this.response.writeHead(this.#status, head.headers)
  }

  #addOwnHeaders(head: string[]): void {
    head.push('till-request-id', this.id)
    if (!this.grant) return
    head.push('till-key-id', this.grant.id, 'till-activations-limit', String(this.grant.limit))
    if (this.used === null) return
    const remaining = Math.max(0, this.grant.limit - this.used)
    head.push('till-activations-used', String(this.used), 'till-activations-remaining', String(remaining))
  }

  #waitForClient(): void {
    if (this.#stall) return
    this.#call?.pause()
    this.#stall = setTimeout(() => this.response.destroy(), this.#stallLimit)
    this.response.once('drain', () => {
      if (this.#stall) clearTimeout(this.#stall)
      this.#stall = null
      this.#call?.resume()
    })
  }

  readonly #closed = (): void => {
    if (this.#finished) return
    // The connection may live for long, and would remember every request that it ever brought.
    this.request.socket.off('close', this.#closed)
    if (this.#stall) clearTimeout(this.#stall)
    this.#call?.abort()
    this.#call = null
    const isAnswered = this.response.writableFinished
    if (isAnswered && !this.request.complete) discardRest(this.request)
    const outcome = this.#outcome ?? (isAnswered ? 'answered' : 'client_gone')
    const hasStatus = this.response.headersSent
    this.#finished = {
      status: hasStatus ? this.#status : null,
      outcome,
      bytesOut: this.#bytesOut,
      milliseconds: Math.round(performance.now() - this.startedAt),
      tokens: this.#usage.tokens(),
    }
    this.whenFinished?.(this.#finished)
  }
}

/** Milliseconds. What is left of a body nobody wants may come for so long, so that its sender reads the answer. */
const DISCARD_FOR = 5_000

function discardRest(request: ClientRequest): void {
  const timer = setTimeout(() => request.socket.destroy(), DISCARD_FOR).unref()
  const done = () => clearTimeout(timer)
  request.once('end', done).once('close', done)
  request.resume()
}

function ignore(): void {}
