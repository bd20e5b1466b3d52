import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

const support = join(import.meta.dirname, '../support')
const CERTIFICATE = join(support, 'tls/certificate.pem')
const UNTRUSTED = { kind: 'unreachable', reason: 'tls' }

let server: Server
let protocols: string[]
const sockets: TLSSocket[] = []
/** A provider that does as it is told by {@link protocols}; its certificate is for `localhost`. */
beforeAll(async () => {
  server = createServer({
    key: readFileSync(join(support, 'tls/key.pem')),
    cert: readFileSync(CERTIFICATE),
    ALPNCallback: ({ protocols: offered }) => offered.find((protocol) => protocols.includes(protocol)),
  })
  server.on('tlsClientError', () => {})
  server.on('secureConnection', (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', () => {
      const said = `${socket.servername} ${socket.alpnProtocol} ${socket.isSessionReused()}`
      socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${said.length}\r\n\r\n${said}`)
    })
  })
  server.listen(0)
  await once(server, 'listening')
})
beforeEach(() => {
  protocols = ['http/1.1', 'h2']
  sockets.length = 0
})
afterAll(() => {
  server.close()
})

/** In a process of its own, since it is the environment that says whom Node trusts. */
async function asks(host: string, env: Record<string, string> = {}) {
  const { port } = server.address() as AddressInfo
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(support, 'ask-twice.ts'), `https://${host}:${port}`],
    { env: { ...process.env, NODE_EXTRA_CA_CERTS: '', ...env } },
  )
  return JSON.parse(stdout)
}

test('a certificate of NODE_EXTRA_CA_CERTS is trusted, the name is sent, HTTP/1.1 is agreed, and the session is resumed', async () => {
  expect(await asks('localhost', { NODE_EXTRA_CA_CERTS: CERTIFICATE })).toEqual([
    { status: 200, body: 'localhost http/1.1 false' },
    { status: 200, body: 'localhost http/1.1 true' },
  ])
})

test('a certificate that nobody vouches for is not, and nothing is sent', async () => {
  expect(await asks('localhost')).toEqual([UNTRUSTED, UNTRUSTED])
  expect(sockets.length).toBe(0)
})

test('T39: verification cannot be switched off by the environment', async () => {
  expect(await asks('localhost', { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' })).toEqual([
    UNTRUSTED,
    UNTRUSTED,
  ])
})

test('a certificate for another name is refused', async () => {
  expect(await asks('127.0.0.1', { NODE_EXTRA_CA_CERTS: CERTIFICATE })).toEqual([UNTRUSTED, UNTRUSTED])
})

test('a provider that speaks HTTP/2 only is not spoken to', async () => {
  protocols = ['h2']
  expect(await asks('localhost', { NODE_EXTRA_CA_CERTS: CERTIFICATE })).toEqual([UNTRUSTED, UNTRUSTED])
})
