import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { ClientRequest, ClientResponse } from '#proxy/client.ts'
import type { DataPlane } from '#proxy/data-plane.ts'
import { publicListener } from '#proxy/listener.ts'
import { openRaw, type RawConnection } from '#test/support/raw-client.ts'

let server: Server
let client: RawConnection
afterEach(() => {
  client.close()
  server.close()
})

/** A listener in which an idle connection lives as briefly as Node lets it: a second, and what is asked for. */
async function listen(answer: (response: ClientResponse) => void, stall: number): Promise<void> {
  const handle = (_request: ClientRequest, response: ClientResponse) => answer(response)
  const plane: DataPlane = { handle, upgrade: () => {}, drain: async () => {} }
  server = publicListener(plane, handle, stall)
  server.keepAliveTimeout = 100
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  client = await openRaw((server.address() as AddressInfo).port)
}

function say(response: ClientResponse, text: string): void {
  response.writeHead(200, ['content-length', String(text.length)])
  response.end(text, 'latin1')
}

const GET = 'GET /proxy/openai/v1/models HTTP/1.1\r\nhost: till\r\n'

describe.each([
  ['a plain request', `${GET}\r\n`],
  ["one that Node's parser reads", `${GET}connection: keep-alive, x-a\r\n\r\n`],
])('%s', (_name, request) => {
  test('T56: a connection that idles after its answer is closed', async () => {
    await listen((response) => say(response, 'here'), 60_000)
    client.write(request)
    expect((await client.answer()).body).toBe('here')
    await client.closed
  })

  test('a connection on which an answer is waited for stays open, however long nothing moves on it', async () => {
    await listen((response) => setTimeout(() => say(response, 'late'), 1500), 200)
    client.write(request)
    expect((await client.answer()).body).toBe('late')
  })
})
