import { createSocket, type Socket } from 'node:dgram'
import { createServer } from 'node:net'

export interface ReservedPort {
  readonly port: number
  release(): void
}

/** Below the ports that kernels choose by themselves: Linux begins at 32768, others at 49152. */
const FIRST = 10_000
const COUNT = 20_000

/**
 * A TCP port of loopback for a server that must know it before it listens, or find it again after a restart. No other
 * test is given it before `release` or the end of this process, also while the server is down: each holds the UDP port of
 * the same number, which the kernel gives to one process only.
 */
export async function reservePort(): Promise<ReservedPort> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    const mark = await bound(port)
    if (!mark) continue
    if (await nobodyListensOn(port)) return { port, release: () => mark.close() }
    mark.close()
  }
}

/** @returns `null` when another process has the port */
function bound(port: number): Promise<Socket | null> {
  const socket = createSocket('udp4').unref()
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close()
      resolve(null)
    })
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(socket))
  })
}

function nobodyListensOn(port: number): Promise<boolean> {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
