import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Passes bytes between a port of its own and another one, until it is told otherwise. */
export interface TcpRelay {
  readonly port: number
  /** Ends every connection at once, as a router that forgets them, and refuses new ones until `restore`. */
  cut(): void
  /** Passes nothing on any more, and says nothing: packets that are lost on the way. */
  swallow(): void
  /** Passes nothing on that comes back: the other side does what it is asked, and its answers are lost. */
  swallowAnswers(): void
  restore(): void
  close(): Promise<void>
}

export async function startTcpRelay(target: number): Promise<TcpRelay> {
  const sockets = new Set<Socket>()
  let state: 'open' | 'cut' | 'swallowing' | 'swallowing answers' = 'open'
  const endAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((near) => {
    if (state === 'cut') {
      near.destroy()
      return
    }
    const far = connect(target, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (bytes) => {
      if (state !== 'swallowing') far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (state === 'open') near.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      state = 'cut'
      endAll()
    },
    swallow() {
      state = 'swallowing'
    },
    swallowAnswers() {
      state = 'swallowing answers'
    },
    restore() {
      state = 'open'
    },
    async close() {
      endAll()
      server.close()
      await once(server, 'close')
    },
  }
}
