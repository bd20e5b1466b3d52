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
  /** Ends the next connection on which `asked` is sent: the answer to it and `last` leave in one segment, and no more. */
  endBehind(answer: { readonly asked: string; readonly endsWith: Buffer; readonly last: Buffer }): void
  restore(): void
  close(): Promise<void>
}

export async function startTcpRelay(target: number): Promise<TcpRelay> {
  const sockets = new Set<Socket>()
  let state: 'open' | 'cut' | 'swallowing' | 'swallowing answers' = 'open'
  let ending: Parameters<TcpRelay['endBehind']>[0] | null = null
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
    let mine: typeof ending = null
    let held: Buffer = Buffer.alloc(0)
    near.on('data', (bytes) => {
      if (ending && bytes.includes(ending.asked)) {
        mine = ending
        ending = null
      }
      if (state !== 'swallowing') far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (mine) {
        held = Buffer.concat([held, bytes])
        if (held.subarray(-mine.endsWith.length).equals(mine.endsWith)) near.end(Buffer.concat([held, mine.last]))
      } else if (state === 'open') near.write(bytes)
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
    endBehind(answer) {
      ending = answer
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
