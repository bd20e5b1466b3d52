import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import fc from 'fast-check'
import type { ClientRequest, ClientResponse } from '#proxy/client.ts'
import { LISTENER, publicListener, refuseTunnel } from '#proxy/listener.ts'
import { type Fuzzer, propertyFuzzer } from './fuzzer.ts'
import { near } from './mutate.ts'
import { CORPUS, DICTIONARY } from './requests.ts'

/** A request as it was read. */
type Read = readonly [method: string, url: string, headers: readonly string[], body: string]

interface Reader {
  readonly server: Server
  readonly port: number
  read: Read[]
}

/**
 * T19: our reader of plain requests, with Node's behind it, against Node's alone: the same bytes in the same pieces. Both
 * must read the same requests, and end with the same status. Node's may look at the next request before it answers one,
 * and may give up a head of which ours awaits the rest, by a 400.
 */
export async function plainFuzzer(): Promise<Fuzzer> {
  const [ours, nodes] = [await start(ourServer), await start(nodesServer)]
  const pieces = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 })
  const inner = propertyFuzzer(
    'plain',
    80,
    fc.tuple(fc.array(near(CORPUS, DICTIONARY), { minLength: 1, maxLength: 3 }), pieces),
    async ([texts, cuts]) => {
      const bytes = Buffer.from(texts.join(''), 'latin1')
      const [our, theirs] = await Promise.all([deliver(ours, bytes, cuts), deliver(nodes, bytes, cuts)])
      assert.deepEqual(our.read, theirs.read)
      const gaveUp = theirs.status === undefined || theirs.status === '400'
      if (!gaveUp || our.status !== our.lastOfRead) assert.equal(our.status, theirs.status)
    },
  )
  return {
    ...inner,
    async close() {
      for (const { server } of [ours, nodes]) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}

type Handle = (request: ClientRequest, response: ClientResponse) => void

const ourServer = (handle: Handle) =>
  publicListener({ handle, upgrade: refuseUpgrade, drain: async () => {} }, (request, response) =>
    handle(request, response),
  )

/** What `publicListener` does, without a reader of our own. */
const nodesServer = (handle: Handle) =>
  createServer(LISTENER, handle)
    .on('checkContinue', handle)
    .on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
      if (request.url?.startsWith('/proxy/') || !request.url?.startsWith('/')) handle(request, response)
      else response.writeHead(417, { connection: 'close' }).end()
    })
    .on('upgrade', refuseUpgrade)
    .on('connect', refuseTunnel)

function refuseUpgrade(_request: IncomingMessage, socket: NodeJS.WritableStream): void {
  socket.end('HTTP/1.1 426 Upgrade Required\r\nconnection: close\r\n\r\n')
}

async function start(make: (handle: Handle) => Server): Promise<Reader> {
  const reader = { read: [] as Read[] }
  const server = make((request, response) => {
    const body: Buffer[] = []
    request.on('data', (chunk) => body.push(chunk))
    request.once('end', () => {
      const { method, url, rawHeaders } = request
      reader.read.push([method!, url!, withoutLength(rawHeaders), Buffer.concat(body).toString('latin1')])
      response.writeHead(200, ['content-length', '2'])
      response.end('ok', 'latin1')
    })
    request.on('error', () => {})
    request.resume()
  })
  server.on('clientError', (_error, socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(reader, { server, port: (server.address() as AddressInfo).port })
}

const withoutLength = (raw: readonly string[]) => raw.filter((_, i) => raw[i & ~1]!.toLowerCase() !== 'content-length')

/** Milliseconds of silence after which nothing more is expected. */
const QUIET = 25

interface Delivered {
  readonly read: readonly Read[]
  /** The last one that came. */
  readonly status: string | undefined
  /** The last one, if nothing but what was read was answered. */
  readonly lastOfRead: string | undefined
}

/** Writes the pieces, and waits until the other side closes or falls silent. */
async function deliver(reader: Reader, bytes: Buffer, cuts: readonly number[]): Promise<Delivered> {
  reader.read = []
  const socket = connect({ port: reader.port, host: '127.0.0.1', noDelay: true })
  let received = ''
  socket.on('error', () => {})
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text
  })
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  const at = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < at.length; i++) {
    if (!socket.destroyed) socket.write(bytes.subarray(at[i - 1], at[i]))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  socket.setTimeout(QUIET, () => socket.destroy())
  await closed
  const statuses = [...received.matchAll(/HTTP\/1\.1 ([0-9]{3})/g)].map((found) => found[1])
  const { read } = reader
  return { read, status: statuses.at(-1), lastOfRead: statuses[read.length - 1] }
}
