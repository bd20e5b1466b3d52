import type { Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { startPlane as startControl } from '#test/control/plane.ts'
import { type MintedKey, type PlaneUnderTest, startPlane } from '#test/proxy/plane.ts'
import { bytesOf, openRaw, type RawConnection, raw } from '#test/support/raw-client.ts'
import { answerOf } from '#test/support/raw-upstream.ts'

let till: PlaneUnderTest
const open: RawConnection[] = []
afterEach(async () => {
  for (const connection of open.splice(0)) connection.close()
  await till.close()
})

const KIB = 1024
const POST = 'POST /proxy/api/v1/responses'
const narrow = (routes: MintedKey['grant']['scope']['routes']) => ({ scope: { routes, models: ['m-*'] } })

/** A request whose body is read before it is admitted, a part at a time. */
async function begin(minted: MintedKey): Promise<RawConnection> {
  const connection = await openRaw(till.port)
  open.push(connection)
  connection.write(
    bytesOf(POST, [
      minted.auth,
      'content-type: application/json',
      'transfer-encoding: chunked',
      'expect: 100-continue',
    ]),
  )
  await connection.until('100 Continue')
  return connection
}
const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${' '.repeat(bytes)}\r\n`
const END = '1b\r\n{"model":"m-1","input":"x"}\r\n0\r\n\r\n'

test('T56: the bodies that are held for one key are bounded, and another key has room still', async () => {
  till = await startPlane({ limits: { checkedBytesAtOnce: 8 * 64 * KIB } })
  const routes = (await till.mint()).grant.scope.routes
  const [greedy, modest] = [await till.mint(narrow(routes)), await till.mint(narrow(routes))]
  const held = await begin(greedy)
  held.write(chunk(63 * KIB))
  const second = await begin(greedy)
  second.write(chunk(2 * KIB))
  const refused = await second.answer()
  expect([refused.status, refused.json().error.code, refused.headers['retry-after']]).toEqual([
    429,
    'too_many_concurrent',
    '1',
  ])
  const other = await begin(modest)
  other.write(chunk(2 * KIB) + END)
  expect((await other.answer()).status).toBe(200)
  // What a request held is there again when it is over.
  held.write(END)
  expect((await held.answer()).status).toBe(200)
  const again = await begin(greedy)
  again.write(chunk(63 * KIB) + END)
  expect((await again.answer()).status).toBe(200)
  expect(await greedy.used()).toBe(2)
})

test('T56: the bodies that are held for all keys together are bounded', async () => {
  till = await startPlane({ limits: { checkedBytesAtOnce: 8 * 16 * KIB } })
  const routes = (await till.mint()).grant.scope.routes
  for (let n = 0; n < 8; n++) {
    const connection = await begin(await till.mint(narrow(routes)))
    connection.write(chunk(15 * KIB))
    connection.write(chunk(1 * KIB - 10))
  }
  // The eight have less than a hundred bytes left between them, once all of theirs have arrived.
  const minted = await till.mint(narrow(routes))
  let status = 200
  while (status === 200) {
    const ninth = await begin(minted)
    ninth.write(chunk(200) + END)
    status = (await ninth.answer()).status
  }
  expect(status).toBe(429)
})

test('T28, T56: requests that reach no provider are free, so a key may make a bounded number of them a minute', async () => {
  till = await startPlane({ limits: { givenBackPerMinute: 3 } })
  const minted = await till.mint({ limit: 1 })
  const nowhere = 'http://127.0.0.1:1'
  const api = till.providers.get('api')!
  till.providers.set('api', { ...api, origin: nowhere })
  const statuses: number[] = []
  for (let n = 0; n < 5; n++) statuses.push((await raw(till.port, bytesOf(POST, [minted.auth], '{}'))).status)
  expect(statuses).toEqual([502, 502, 502, 429, 429])
  expect((await minted.events()).filter(({ type }) => type === 'activation')).toHaveLength(3)
  // What was given back is there, and a minute later it can be used.
  till.providers.set('api', api)
  till.now += 60
  expect((await raw(till.port, bytesOf(POST, [minted.auth], '{}'))).status).toBe(200)
  expect(await minted.used()).toBe(1)
})

test('T56: a provider that sends faster than its client reads is held back, not stored', async () => {
  till = await startPlane()
  const minted = await till.mint()
  const held = Promise.withResolvers<Socket>()
  till.upstream.answers((_request, socket) => held.resolve(socket))
  const client = await openRaw(till.port)
  open.push(client)
  client.socket.pause()
  client.write(bytesOf(POST, [minted.auth], '{}'))
  const provider = await held.promise
  provider.write(
    answerOf(200, ['content-type: text/plain'], '').replace('content-length: 0', 'content-length: 1000000000'),
  )
  const piece = Buffer.alloc(256 * KIB, 'x')
  let sent = 0
  // Until the provider's own socket takes no more for a while: every buffer on the way is full.
  for (let full = 0; full < 20; ) {
    if (provider.writableLength < piece.length) {
      provider.write(piece)
      sent += piece.length
      full = 0
    } else full++
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect(sent).toBeLessThan(64 * KIB * KIB)
})

test('T56: the bodies that the control plane reads for senders it does not know are bounded, for each route by itself', async () => {
  const control = await startControl({ limits: { heldBytes: 20_000 } })
  const head = (path: string) => `POST ${path} HTTP/1.1\r\nhost: till\r\ncontent-length: 15000\r\n\r\n`
  const port = Number(new URL(control.url).port)
  const held = await openRaw(port)
  open.push(held)
  held.write(`${head('/v1/keys')}${'x'.repeat(14_000)}`)
  let refused: string
  do refused = await control.raw(`${head('/v1/keys')}${'x'.repeat(14_999)}`, '}')
  while (!refused.includes('limit_exceeded'))
  expect(refused).toMatch(/^HTTP\/1\.1 429 [\s\S]*retry-after: 1\r\n/)
  expect(await control.raw(`${head('/v1/webhooks/github')}${'x'.repeat(15_000)}`, '}')).not.toContain('limit_exceeded')
  held.close()
  // What it held is there again.
  let status = 429
  while (status === 429)
    status = (await control.mint(await control.token(), JSON.stringify({ providers: ['openai'] }).padEnd(16_000)))
      .status
  expect(status).toBe(201)
  await control.close()
  till = await startPlane()
})
