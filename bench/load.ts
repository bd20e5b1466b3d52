/**
 * The load: raw sockets, one request at a time on each. Prints one line of JSON.
 *
 * Usage: node bench/load.ts '{"mode":"closed"|"open"|"streams"|"once","port":…,"path":…,"headers":[…],"connections":…,
 * "seconds":…,"rate":…,"body":…}'. `closed`: as fast as answers come. `open`: `rate` requests a second, latency counted
 * from the instant a request was due, so that a stall is not hidden. `streams`: as `closed`, and the time to the first
 * event is told. `once`: one stream on each connection, all at once, until the last has ended, for a minute at most.
 * Latencies are in microseconds.
 */
import { connect, type Socket } from 'node:net'

interface Load {
  readonly mode: 'closed' | 'open' | 'streams' | 'once'
  readonly port: number
  readonly path: string
  /** Lines of the request's head. */
  readonly headers: readonly string[]
  readonly connections: number
  readonly seconds: number
  readonly rate?: number
  readonly body: string
}

interface Line {
  readonly socket: Socket
  busy: boolean
  due: number
  head: boolean
  /** Bytes of a body with a length that are still to come; -1: chunked. */
  left: number
  tail: string
}

const load: Load = JSON.parse(process.argv[2]!)
const request = Buffer.from(
  `POST ${load.path} HTTP/1.1\r\nhost: 127.0.0.1:${load.port}\r\n${load.headers.map((line) => `${line}\r\n`).join('')}` +
    `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(load.body)}\r\n\r\n${load.body}`,
)
const latencies: number[] = []
const firstEvents: number[] = []
let errors = 0
let bytes = 0
let stopped = false
/** Streams that have not ended, in the mode `once`. */
let open = load.connections
const idle: Line[] = []
const waiting: number[] = []

function send(line: Line, due: number): void {
  line.busy = true
  line.due = due
  line.head = true
  line.tail = ''
  line.socket.write(request)
}

function done(line: Line, ok: boolean): void {
  line.busy = false
  if (ok) latencies.push((performance.now() - line.due) * 1000)
  else errors++
  if (load.mode === 'once') {
    if (--open === 0) report()
    return
  }
  if (stopped) return
  if (load.mode !== 'open') send(line, performance.now())
  else if (waiting.length > 0) send(line, waiting.shift()!)
  else idle.push(line)
}

function receive(line: Line, data: Buffer): void {
  bytes += data.length
  if (!line.busy) return
  let body = data
  if (line.head) {
    const end = data.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = data.toString('latin1', 0, end)
    if (!head.startsWith('HTTP/1.1 200')) errors++
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)
    line.left = length ? Number(length[1]) : -1
    line.head = false
    body = data.subarray(end + 4)
    line.socket.resume()
  }
  if (load.mode !== 'closed' && body.length > 0 && line.due > 0 && line.tail === '')
    firstEvents.push((performance.now() - line.due) * 1000)
  if (line.left >= 0) {
    line.left -= body.length
    if (line.left <= 0) done(line, true)
    return
  }
  line.tail = (line.tail + body.toString('latin1')).slice(-7)
  if (line.tail.endsWith('\r\n0\r\n\r\n')) done(line, true)
}

async function connected(): Promise<Line> {
  const socket = connect({ port: load.port, host: '127.0.0.1', noDelay: true })
  const line: Line = { socket, busy: false, due: 0, head: true, left: 0, tail: '' }
  socket.on('data', (data) => receive(line, data))
  socket.on('error', () => {})
  socket.on('close', () => {
    if (line.busy) done(line, false)
    line.busy = false
  })
  await new Promise((resolve) => socket.once('connect', resolve))
  return line
}

const lines: Line[] = []
for (let i = 0; i < load.connections; i++) lines.push(await connected())

const began = performance.now()
const endsAt = began + load.seconds * 1000
if (load.mode === 'open') {
  idle.push(...lines)
  const step = 1000 / load.rate!
  let due = began
  const timer = setInterval(() => {
    for (const now = performance.now(); due <= now && due < endsAt; due += step) {
      const line = idle.pop()
      if (line) send(line, due)
      else waiting.push(due)
    }
  }, 1)
  setTimeout(() => clearInterval(timer), load.seconds * 1000)
} else for (const line of lines) send(line, performance.now())

function report(): void {
  stopped = true
  const seconds = (performance.now() - began) / 1000
  const at = (sorted: number[], share: number) =>
    sorted.length === 0 ? null : Math.round(sorted[Math.floor((sorted.length - 1) * share)]!)
  latencies.sort((a, b) => a - b)
  firstEvents.sort((a, b) => a - b)
  console.log(
    JSON.stringify({
      requests: latencies.length,
      errors,
      bytes,
      perSecond: latencies.length / seconds,
      p50: at(latencies, 0.5),
      p99: at(latencies, 0.99),
      firstEventP50: at(firstEvents, 0.5),
      firstEventP99: at(firstEvents, 0.99),
    }),
  )
  process.exit(0)
}

setTimeout(report, load.mode === 'once' ? 60_000 : load.seconds * 1000 + (load.mode === 'open' ? 300 : 0))
