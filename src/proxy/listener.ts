import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { DataPlane } from './data-plane.ts'
import { DEFAULT_LIMITS } from './limits.ts'

/** Contract, section 9. Milliseconds and bytes. */
export const LISTENER: ServerOptions = {
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
}

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
  const server = createServer(LISTENER)
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
  // An answer that is written whole, which no exchange waits for, stands in memory until it is read. Whoever listens for
  // this has to close idle connections, too: those whose time is not the server's but `keepAliveTimeout`.
  server.setTimeout(stall, (socket) => {
    if (socket.writableLength > 0 || socket.timeout !== stall) socket.destroy()
  })
  server.on('upgrade', (request, socket) => dataPlane.upgrade(request, socket))
  return server
}

/** A target that does not begin with `/` (absolute form, `*`) is no path of either plane: the data plane refuses it. */
function isControl({ url = '' }: IncomingMessage): boolean {
  return url.startsWith('/') && !url.startsWith('/proxy/')
}
