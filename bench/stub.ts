/**
 * The provider of the benchmark: HTTP/1.1 over raw sockets, as little work per request as JavaScript allows. A body
 * that holds `"stream":true` gets server-sent events (`"events":N`, `"gap":MILLISECONDS`), anything else 1 KB of JSON.
 * A request without the real credential gets 401, so that a contender which injects nothing cannot win.
 *
 * Usage: node bench/stub.ts CREDENTIAL ['{"headers":[LINE, …],"text":…}']; prints its port. The JSON tells what every
 * head holds besides what it must, and what the model says.
 */
import { createServer, type Socket } from 'node:net'

const credential = `Bearer ${process.argv[2]}`
const { headers = ['x-request-id: req_0123456789'], text = 'a'.repeat(800) } = JSON.parse(process.argv[3] ?? '{}')
const more = headers.map((line: string) => `${line}\r\n`).join('')
const json = JSON.stringify({
  id: 'resp_0123456789',
  object: 'response',
  model: 'gpt-5',
  output: [{ type: 'message', content: [{ type: 'output_text', text }] }],
  usage: { input_tokens: 9, output_tokens: 12, total_tokens: 21 },
})
const whole = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${more}content-length: ${json.length}\r\n\r\n${json}`,
)
const refused = Buffer.from('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n')
const streamHead = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${more}transfer-encoding: chunked\r\n\r\n`
const event = `data: ${JSON.stringify({ type: 'response.output_text.delta', delta: ' token token', sequence_number: 7 })}\n\n`
const chunk = Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`)
const end = Buffer.from('e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n')

function answer(socket: Socket, head: string, body: Buffer): void {
  if (!head.includes(credential)) {
    socket.write(refused)
    return
  }
  if (!body.includes('"stream":true')) {
    socket.write(whole)
    return
  }
  const { events = 50, gap = 0 } = JSON.parse(body.toString())
  socket.write(streamHead)
  if (gap === 0) {
    for (let i = 0; i < events; i++) socket.write(chunk)
    socket.write(end)
    return
  }
  let left = events
  const timer = setInterval(() => {
    socket.write(chunk)
    if (--left > 0) return
    clearInterval(timer)
    socket.write(end)
  }, gap)
  socket.once('close', () => clearInterval(timer))
}

const server = createServer({ noDelay: true }, (socket) => {
  let held: Buffer = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (data) => {
    held = held.length === 0 ? data : Buffer.concat([held, data])
    for (;;) {
      const headEnd = held.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const head = held.toString('latin1', 0, headEnd)
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)
      let bodyEnd = headEnd + 4 + Number(length?.[1] ?? 0)
      if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
        const last = held.indexOf('0\r\n\r\n', headEnd + 4)
        if (last < 0) return
        bodyEnd = last + 5
      }
      if (held.length < bodyEnd) return
      answer(socket, head, held.subarray(headEnd + 4, bodyEnd))
      held = held.subarray(bodyEnd)
      if (held.length === 0) return
    }
  })
})
server.listen(0, '127.0.0.1', 4096, () => console.log((server.address() as { port: number }).port))
