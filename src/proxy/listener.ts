import { type IncomingMessage, Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { DataPlane } from './data-plane.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { type ClientPatience, PlainConnection } from './plain-connection.ts'
import type { PlainRequest } from './plain-request.ts'
import type { PlainResponse } from './plain-response.ts'

/** Contract, section 9. Milliseconds and bytes. */
export const LISTENER = {
  insecureHTTPParser: false,
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  /** To receive a whole request. The idle time of a body is the data plane's own. */
  requestTimeout: 900_000,
  /** Longer than the proxies and clients before it keep a connection, so that it is they who close it. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 1_000,
  // The control plane has nothing to change to, and passes the wish over (RFC 9110, section 7.8).
  shouldUpgradeCallback: (request) => !isControl(request),
} satisfies ServerOptions

/**
 * The one public listener of both planes. Not listening yet.
 *
 * @param control takes every request whose target does not begin with `/proxy/`
 * @param stall milliseconds that a client may take nothing of what is written to it
 */
export function publicListener(
  dataPlane: DataPlane,
  control: (request: IncomingMessage, response: ServerResponse) => void,
  stall: number = DEFAULT_LIMITS.streamIdle,
): Server {
  const server = new PublicServer(dataPlane, stall)
  server.on('request', (request, response) => {
    if (isControl(request)) control(request, response)
    else dataPlane.handle(request, response)
  })
  // Without this, Node would ask for the body before anybody has looked at the key.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!isControl(request)) return dataPlane.handle(request, response)
    response.writeContinue()
    control(request, response)
  })
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    if (!isControl(request)) return dataPlane.handle(request, response)
    response.writeHead(417, { connection: 'close' }).end()
  })
  // Of connections that Node reads; `plain-connection.ts` does the same for the others. An answer that is written whole,
  // which no exchange waits for, stands in memory until it is read. Whoever listens for this has to close idle
  // connections, too: those whose time is not the server's but `keepAliveTimeout`.
  server.setTimeout(stall, (socket) => {
    if (socket.writableLength > 0 || socket.timeout !== stall) socket.destroy()
  })
  server.on('upgrade', (request, socket) => dataPlane.upgrade(request, socket))
  server.on('connect', refuseTunnel)
  return server
}

/** Node's server, behind a reader of our own for what is plain, as nearly all is that comes (decision 0007). */
class PublicServer extends Server {
  readonly #plain = new Set<PlainConnection>()

  constructor(dataPlane: DataPlane, stall: number) {
    super(LISTENER)
    const [read] = this.listeners('connection') as [(socket: Socket) => void]
    this.removeListener('connection', read)
    const server = this
    const owner = {
      get patience(): ClientPatience {
        const { headersTimeout, requestTimeout, keepAliveTimeout } = server
        return {
          head: beats(headersTimeout),
          request: beats(requestTimeout),
          keepAlive: beats(keepAliveTimeout),
          stall: beats(stall),
        }
      },
      keepAlive: `connection: keep-alive\r\nkeep-alive: timeout=${LISTENER.keepAliveTimeout / 1000}\r\n\r\n`,
      plain: (request: PlainRequest, response: PlainResponse) => dataPlane.handle(request, response),
      other(socket: Socket, bytes: Buffer) {
        socket.pause()
        socket.unshift(bytes)
        read.call(server, socket)
        socket.resume()
      },
      left: (connection: PlainConnection) => void this.#plain.delete(connection),
    }
    this.on('connection', (socket: Socket) => this.#plain.add(new PlainConnection(socket, owner)))
    const timer = setInterval(() => {
      for (const connection of this.#plain) connection.tick()
    }, BEAT).unref()
    this.once('close', () => clearInterval(timer))
  }

  override closeIdleConnections(): void {
    super.closeIdleConnections()
    for (const connection of this.#plain) if (connection.isIdle) connection.destroy()
  }

  override closeAllConnections(): void {
    super.closeAllConnections()
    for (const connection of this.#plain) connection.destroy()
  }
}

const BEAT = LISTENER.connectionsCheckingInterval
const beats = (milliseconds: number) => Math.ceil(milliseconds / BEAT)

/** With no listener for it Node would close the connection without a word. */
export function refuseTunnel(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => {})
  socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n', () => socket.destroy())
}

/** A target that does not begin with `/` (absolute form, `*`) is no path of either plane: the data plane refuses it. */
function isControl({ url = '' }: IncomingMessage): boolean {
  return url.startsWith('/') && !url.startsWith('/proxy/')
}
