import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** A provider of which a test decides every byte, and which remembers every byte it got. */
export interface RawUpstream {
  readonly origin: string
  readonly port: number
  /** Whole requests, oldest first. */
  readonly requests: readonly RawRequest[]
  /** What is done with each request; the default answers 200 with `{"ok":true}`. */
  answers(how: (request: RawRequest, socket: Socket) => void): void
  /** Resolves with the request of that number, from 1, when it is there. */
  request(number: number): Promise<RawRequest>
  /** Connections that were ever accepted. */
  readonly connections: number
  close(): Promise<void>
}

export interface RawRequest {
  readonly line: string
  /** Names as they came. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  header(name: string): string | undefined
  readonly body: string
  readonly socket: Socket
  /** Resolves when its connection is closed. */
  readonly closed: Promise<void>
}

export function answerOf(status: number, headers: readonly string[], body: string): string {
  return [`HTTP/1.1 ${status} X`, ...headers, `content-length: ${Buffer.byteLength(body, 'latin1')}`, '', body].join(
    '\r\n',
  )
}

export async function startRawUpstream(): Promise<RawUpstream> {
  const requests: RawRequest[] = []
  const wake = new Set<() => void>()
  const sockets = new Set<Socket>()
  let connections = 0
  const usual = (_request: RawRequest, socket: Socket) =>
    void socket.write(answerOf(200, ['content-type: application/json'], '{"ok":true}'))
  let how: (request: RawRequest, socket: Socket) => void = usual

  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    const closed = new Promise<void>((resolve) =>
      socket.once('close', () => {
        sockets.delete(socket)
        resolve()
      }),
    )
    socket.on('error', () => {})
    let text = ''
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more
      for (let parsed = parse(text); parsed; parsed = parse(text)) {
        text = text.slice(parsed.length)
        const request = { ...parsed.request, socket, closed }
        requests.push(request)
        how(request, socket)
        for (const resolve of wake) resolve()
        wake.clear()
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    requests,
    get connections() {
      return connections
    },
    answers: (next) => {
      how = next
    },
    async request(number) {
      while (requests.length < number) await new Promise<void>((resolve) => wake.add(resolve))
      return requests[number - 1]!
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function parse(text: string): { request: Omit<RawRequest, 'socket' | 'closed'>; length: number } | null {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const [line, ...lines] = text.slice(0, headEnd).split('\r\n')
  const headers = lines.map((header) => {
    const colon = header.indexOf(':')
    return [header.slice(0, colon), header.slice(colon + 1).trim()] as const
  })
  const header = (name: string) => headers.findLast(([given]) => given.toLowerCase() === name)?.[1]
  const start = headEnd + 4
  let body = ''
  let end = start
  if (header('transfer-encoding') === 'chunked') {
    for (;;) {
      const lineEnd = text.indexOf('\r\n', end)
      if (lineEnd < 0) return null
      const size = Number.parseInt(text.slice(end, lineEnd), 16)
      const next = lineEnd + 2 + size + 2
      if (text.length < next) return null
      body += text.slice(lineEnd + 2, lineEnd + 2 + size)
      end = next
      if (size === 0) break
    }
  } else {
    end = start + Number(header('content-length') ?? 0)
    if (text.length < end) return null
    body = text.slice(start, end)
  }
  return { request: { line: line!, headers, header, body }, length: end }
}
