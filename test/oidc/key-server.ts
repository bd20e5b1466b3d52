import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SigningKey } from './forge.ts'

/** The two documents of an issuer, on loopback, each of which can be made to misbehave. */
export interface KeyServer {
  readonly url: string
  /** Paths asked for, in order. */
  readonly requests: string[]
  /** Replace these to misbehave. */
  discovery: (response: ServerResponse) => void
  jwks: (response: ServerResponse) => void
  publish(...keys: readonly SigningKey[]): void
  /** How often the key set was asked for. */
  fetches(): number
  close(): Promise<void>
}

export async function startKeyServer(...keys: readonly SigningKey[]): Promise<KeyServer> {
  const server = createServer((request, response) => {
    keyServer.requests.push(request.url!)
    if (request.url === '/.well-known/openid-configuration') keyServer.discovery(response)
    else if (request.url === '/jwks') keyServer.jwks(response)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const keyServer: KeyServer = {
    url,
    requests: [],
    discovery: json({ issuer: url, jwks_uri: `${url}/jwks` }),
    jwks: json({ keys: keys.map(({ jwk }) => jwk) }),
    publish(...published) {
      keyServer.jwks = json({ keys: published.map(({ jwk }) => jwk) })
    },
    fetches: () => keyServer.requests.filter((path) => path === '/jwks').length,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return keyServer
}

export const json = (value: unknown) => (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

export const broken = (response: ServerResponse) => {
  response.writeHead(500).end('broken')
}
