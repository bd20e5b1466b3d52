import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** A server that answers each request by what a test does with its socket, and does not understand HTTP otherwise. */
export interface ByteServer {
  readonly origin: string
  /** Everything that each connection got, as Latin-1, in the order in which they came. */
  readonly connections: readonly ByteConnection[]
  /** What is done when the head of a request has come. */
  answers(how: (socket: Socket, connection: ByteConnection) => void): void
  close(): Promise<void>
}

export interface ByteConnection {
  readonly socket: Socket
  received: string
  readonly closed: Promise<void>
}

export async function startByteServer(): Promise<ByteServer> {
  const connections: ByteConnection[] = []
  let how: (socket: Socket, connection: ByteConnection) => void = () => {}
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    const connection: ByteConnection = { socket, received: '', closed }
    connections.push(connection)
    let asked = 0
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.setEncoding('latin1').on('data', (text: string) => {
      connection.received += text
      const heads = connection.received.match(/ HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)+\r\n/g)?.length ?? 0
      for (; asked < heads; asked++) how(socket, connection)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    answers: (next) => {
      how = next
    },
    async close() {
      for (const { socket } of connections) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
