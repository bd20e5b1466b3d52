import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { Http1Call } from './http1-call.ts'
import type { AnswerReader, UpstreamCall, UpstreamFailure, UpstreamRequest } from './upstream.ts'

/** Where connections of one origin lead, and those that wait for a request. */
export interface Origin {
  readonly isSecure: boolean
  /** A name or an address, without brackets. */
  readonly host: string
  readonly port: number
  readonly hostHeader: string
  /** The one that was used last stands last. */
  readonly idle: Http1Connection[]
  /** Of TLS, to be resumed by the next connection. */
  session: Buffer | undefined
}

/** In beats of the timer that all connections share. */
export interface Patience {
  readonly connect: number
  readonly firstByte: number
  readonly streamIdle: number
  /** @param seconds that the provider says it keeps an idle connection */
  keepAlive(seconds: number | null): number
}

/** One connection: a request at a time, the next one only when the last was answered in full and sent in full. */
export class Http1Connection {
  readonly #origin: Origin
  readonly #patience: Patience
  readonly #closed: () => void
  readonly #socket: Socket
  /** How far it has come; `ready` is a connection that can be written to. */
  #stage: 'dns' | 'connect' | 'tls' | 'ready' = 'dns'
  #call: Http1Call | null = null
  /** Beats in which nothing moved. */
  #beats = 0
  /** Beats for which it may wait idle. */
  #keepAlive = 0

  /** @param readInto memory that all connections share: what is read is taken out before the next read */
  constructor(origin: Origin, readInto: Buffer, patience: Patience, closed: () => void) {
    this.#origin = origin
    this.#patience = patience
    this.#closed = closed
    const onread: OnReadOpts = {
      buffer: readInto,
      callback: (length) => {
        this.#read(readInto.subarray(0, length))
        return true
      },
    }
    this.#socket = this.#connect(onread)
    this.#socket
      .once('lookup', (error: Error | null) => {
        if (!error) this.#stage = 'connect'
      })
      .on('end', () => this.#end())
      .on('error', () => this.#lost())
      .on('close', () => this.#lost())
      .on('drain', () => this.#call?.drained())
  }

  #connect(onread: OnReadOpts): Socket {
    const { isSecure, host, port } = this.#origin
    if (isIP(host)) this.#stage = 'connect'
    const options = { host, port, onread, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }
    if (!isSecure) return connectPlain(options, () => this.#ready())
    return connectSecure({
      ...options,
      ...(isIP(host) === 0 && { servername: host }),
      ...(this.#origin.session && { session: this.#origin.session }),
      ALPNProtocols: ['http/1.1'],
      // Said here, so that no variable of the environment can say otherwise.
      rejectUnauthorized: true,
    })
      .on('session', (session) => {
        this.#origin.session = session
      })
      .once('connect', () => {
        this.#stage = 'tls'
      })
      .once('secureConnect', () => this.#ready())
  }

  /** Takes a request. The connection is new or idle. */
  send(request: UpstreamRequest, reader: AnswerReader): UpstreamCall {
    const call: Http1Call = new Http1Call(this.#socket, request, this.#origin.hostHeader, reader, () => {
      if (this.#call === call) this.#lost()
    })
    this.#call = call
    this.#beats = 0
    if (this.#stage === 'ready') call.write()
    return call
  }

  /** Once a beat: has it waited for too long? */
  tick(): void {
    const call = this.#call
    this.#beats++
    if (!call) {
      if (this.#beats > this.#keepAlive) this.close()
    } else if (this.#stage !== 'ready') {
      if (this.#beats > this.#patience.connect) this.#lost()
    } else if (call.hasMoved || call.isPaused) {
      call.hasMoved = false
      this.#beats = 0
    } else if (this.#beats > (call.parser.hasBegun ? this.#patience.streamIdle : this.#patience.firstByte))
      this.#fail({ kind: 'timeout' })
  }

  close(): void {
    this.#lost()
  }

  #ready(): void {
    this.#stage = 'ready'
    this.#beats = 0
    this.#call?.write()
  }

  #read(bytes: Buffer): void {
    const call = this.#call
    // Nobody asked for it.
    if (!call?.isSent) this.#lost()
    else {
      call.hasMoved = true
      this.#proceed(call, bytes)
    }
  }

  /** The provider has closed its side: the end of a body that nothing else ends, else it breaks off. */
  #end(): void {
    const call = this.#call
    if (call?.isSent) this.#proceed(call, null)
    else this.#lost()
  }

  /** @param bytes `null`: there will be no more */
  #proceed(call: Http1Call, bytes: Buffer | null): void {
    try {
      const progress = bytes === null ? call.parser.end() : call.parser.push(bytes)
      // Whoever was told may have broken it off.
      if (this.#call !== call) return
      if (progress === 'broken') this.#fail({ kind: 'broken' })
      else if (progress === 'complete') this.#complete(call)
    } catch {
      // A fault of whoever was told is the end of this answer, not of the broker.
      this.#fail({ kind: 'broken' })
      call.fail({ kind: 'broken' })
    }
  }

  #complete(call: Http1Call): void {
    this.#call = null
    this.#keepAlive = this.#patience.keepAlive(call.parser.keepAlive)
    // An answer that came before the request was sent says nothing about what the provider takes the rest for.
    const isReusable = call.parser.isReusable && call.isWhole && this.#keepAlive > 0
    if (isReusable) {
      this.#beats = 0
      this.#origin.idle.push(this)
      if (call.isPaused) this.#socket.resume()
    } else this.#lost()
    call.end()
  }

  /** The connection is gone, or useless. */
  #lost(): void {
    this.#fail(this.#call?.isSent ? { kind: 'broken' } : { kind: 'unreachable', reason: this.#unreached() })
  }

  #fail(failure: UpstreamFailure): void {
    const call = this.#call
    this.#call = null
    const { idle } = this.#origin
    const at = idle.lastIndexOf(this)
    if (at >= 0) idle.splice(at, 1)
    this.#closed()
    this.#socket.destroy()
    call?.fail(failure)
  }

  #unreached(): 'dns' | 'connect' | 'tls' {
    return this.#stage === 'ready' ? 'connect' : this.#stage
  }
}
