import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection on which a test writes bytes as they are, and reads what comes. */
export interface RawConnection {
  readonly socket: Socket
  /** Everything that came so far, as Latin-1. */
  readonly received: string
  write(bytes: string | Buffer): void
  /** Resolves with everything that came, once that holds the text, or ends. */
  until(text: string): Promise<string>
  /** The next whole answer; interim ones (1xx) are passed over. One to `HEAD` has no body. */
  answer(method?: 'HEAD'): Promise<RawAnswer>
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>
  close(): void
}

export interface RawAnswer {
  readonly status: number
  /** In lower case; the last one of a name counts. */
  readonly headers: Readonly<Record<string, string>>
  readonly rawHeaders: readonly (readonly [name: string, value: string])[]
  readonly body: string
  /** The body, when it is JSON. */
  json(): Record<string, never> & { error: { code: string; message: string; status: string } } & Record<string, unknown>
}

export async function openRaw(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: false })
  await once(socket, 'connect')
  let received = ''
  let taken = 0
  const wake = new Set<() => void>()
  const wakeAll = () => {
    for (const resolve of wake) resolve()
    wake.clear()
  }
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text
    wakeAll()
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('close', wakeAll).on('error', () => {})
  const change = () => new Promise<void>((resolve) => wake.add(resolve))

  return {
    socket,
    get received() {
      return received
    },
    write: (bytes) => void socket.write(bytes),
    async until(text) {
      while (!received.includes(text) && !socket.closed) await change()
      return received
    },
    async answer(method) {
      for (;;) {
        const parsed = parseAnswer(received.slice(taken), socket.closed, method === 'HEAD')
        if (parsed) {
          taken += parsed.length
          if (parsed.answer.status >= 200) return parsed.answer
        } else if (socket.closed) throw new Error(`The connection closed without an answer: ${received.slice(taken)}`)
        else await change()
      }
    },
    closed,
    close: () => void socket.destroy(),
  }
}

/** One request on a connection of its own. */
export async function raw(port: number, bytes: string): Promise<RawAnswer> {
  const connection = await openRaw(port)
  connection.write(bytes)
  try {
    return await connection.answer(bytes.startsWith('HEAD ') ? 'HEAD' : undefined)
  } finally {
    connection.close()
  }
}

/** A request's bytes: the first line, the headers, and a body with its length unless a framing is given. */
export function bytesOf(line: string, headers: readonly string[], body = ''): string {
  const isFramed = headers.some((header) => /^(?:content-length|transfer-encoding)\s*:/i.test(header))
  const length = body === '' || isFramed ? [] : [`content-length: ${Buffer.byteLength(body, 'latin1')}`]
  const host = headers.some((header) => /^host\s*:/i.test(header)) ? [] : ['host: till.example']
  return [`${line} HTTP/1.1`, ...host, ...headers, ...length, '', body].join('\r\n')
}

function parseAnswer(text: string, isEnded: boolean, isHead: boolean): { answer: RawAnswer; length: number } | null {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const [statusLine, ...lines] = text.slice(0, headEnd).split('\r\n')
  const status = Number(statusLine!.split(' ')[1])
  const rawHeaders = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  const headers = Object.fromEntries(rawHeaders)
  const start = headEnd + 4
  const made = (body: string, length: number) => ({
    answer: { status, headers, rawHeaders, body, json: () => JSON.parse(body) },
    length,
  })
  if (isHead || status < 200 || status === 204 || status === 304) return made('', start)
  if (headers['transfer-encoding'] === 'chunked') return parseChunks(text, start, made)
  if (headers['content-length'] === undefined) return isEnded ? made(text.slice(start), text.length) : null
  const end = start + Number(headers['content-length'])
  return text.length >= end ? made(text.slice(start, end), end) : null
}

function parseChunks<T>(text: string, start: number, made: (body: string, length: number) => T): T | null {
  let body = ''
  let at = start
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    const next = lineEnd + 2 + size + 2
    if (text.length < next) return null
    if (size === 0) return made(body, next)
    body += text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = next
  }
}
