import { Http1Connection, type Origin } from './http1-connection.ts'
import type { Upstream, UpstreamLimits } from './upstream.ts'

/** Milliseconds. Short, since a provider may drop an idle connection while a request is on its way into it. */
const KEEP_ALIVE = 4_000

/**
 * HTTP/1.1 over `node:net` and `node:tls`: connections are kept for the next request of their origin, and there is no
 * bound on their number, for each stream beyond it would wait for another to end. Why our own: docs/decisions.
 */
export function http1Upstream(limits: UpstreamLimits): Upstream {
  const origins = new Map<string, Origin>()
  const connections = new Set<Http1Connection>()
  // Bytes are taken out of it before the next read, of whichever connection.
  const readInto = Buffer.allocUnsafeSlow(65_536)
  const beat = Math.min(500, Math.ceil(Math.min(limits.connect, limits.firstByte, limits.streamIdle) / 8))
  const beats = (milliseconds: number) => Math.ceil(milliseconds / beat)
  const patience = {
    connect: beats(limits.connect),
    firstByte: beats(limits.firstByte),
    streamIdle: beats(limits.streamIdle),
    keepAlive: (seconds: number | null) =>
      // Rounded down, and a second less than was promised: the end of an idle connection must come from here.
      Math.floor(Math.min(KEEP_ALIVE, seconds === null ? KEEP_ALIVE : (seconds - 1) * 1000) / beat) - 1,
  }
  let timer: NodeJS.Timeout | null = null

  // One timer for all: each connection counts beats since something moved on it.
  const tick = () => {
    for (const connection of connections) connection.tick()
  }

  function connected(origin: Origin): Http1Connection {
    const connection = new Http1Connection(origin, readInto, patience, () => {
      connections.delete(connection)
      if (connections.size > 0 || !timer) return
      clearInterval(timer)
      timer = null
    })
    connections.add(connection)
    timer ??= setInterval(tick, beat).unref()
    return connection
  }

  return {
    send(request, reader) {
      let origin = origins.get(request.origin)
      if (!origin) {
        origin = readOrigin(request.origin)
        origins.set(request.origin, origin)
      }
      // The one that was used last: the others may grow old.
      const connection = origin.idle.pop() ?? connected(origin)
      return connection.send(request, reader)
    },
    async close() {
      for (const connection of [...connections]) connection.close()
    },
  }
}

function readOrigin(text: string): Origin {
  const { protocol, hostname, host, port } = new URL(text)
  const isSecure = protocol === 'https:'
  return {
    isSecure,
    host: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
    hostHeader: host,
    idle: [],
    session: undefined,
  }
}
