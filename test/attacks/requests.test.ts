import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PlaneUnderTest, startPlane } from '#test/proxy/plane.ts'
import { bytesOf, raw } from '#test/support/raw-client.ts'
import { answerOf } from '#test/support/raw-upstream.ts'

let till: PlaneUnderTest
beforeAll(async () => {
  till = await startPlane()
})
afterAll(() => till.close())

const GET = 'GET /proxy/api/v1/items/1'

test.each([
  ['Host', 'host: evil.example'],
  ['Host with a dot at its end', 'host: TILL.example.:80'],
  ['X-Forwarded-Host', 'x-forwarded-host: evil.example'],
  ['Forwarded', 'forwarded: host=evil.example'],
  ['X-Original-Host', 'x-original-host: evil.example'],
  ['X-Host', 'x-host: evil.example'],
])('T16: %s does not choose where a request goes, nor what the provider is told', async (_name, header) => {
  const minted = await till.mint()
  const before = till.upstream.requests.length
  expect((await raw(till.port, bytesOf(GET, [minted.auth, header]))).status).toBe(200)
  const request = till.upstream.requests[before]!
  expect(request.headers.filter(([name]) => name.toLowerCase() === 'host')).toEqual([
    ['host', new URL(till.upstream.origin).host],
  ])
  expect(JSON.stringify(request.headers)).not.toMatch(/evil|TILL/)
})

test.each([301, 302, 303, 307, 308])(
  'T17: a redirect (%i) is not followed, and leads the client nowhere',
  async (status) => {
    let visits = 0
    const elsewhere = createServer((socket) => {
      visits++
      socket.destroy()
    }).listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`
    const minted = await till.mint()
    till.upstream.answers((_request, socket) =>
      socket.write(answerOf(status, [`location: ${url}`, `content-location: ${url}`, `refresh: 0;url=${url}`], '')),
    )
    const answer = await raw(till.port, bytesOf(GET, [minted.auth]))
    till.upstream.answers((_request, socket) => socket.write(answerOf(200, [], '{}')))
    elsewhere.close()
    expect(answer.status).toBe(status)
    expect(JSON.stringify(answer.rawHeaders)).not.toContain(url)
    expect([visits, await minted.used()]).toEqual([0, 1])
  },
)

test('T24: an answer that may be stored by everybody is asked for anew by every key', async () => {
  till.upstream.answers((request, socket) =>
    socket.write(
      answerOf(
        200,
        ['cache-control: public, max-age=3600', 'etag: "1"', 'date: Thu, 01 Jan 2026 00:00:00 GMT'],
        request.line,
      ),
    ),
  )
  const before = till.upstream.requests.length
  for (const { auth } of [await till.mint(), await till.mint()])
    expect((await raw(till.port, bytesOf(GET, [auth]))).status).toBe(200)
  expect(till.upstream.requests.length - before).toBe(2)
})

test('T25: cookies pass in neither direction', async () => {
  const minted = await till.mint()
  till.upstream.answers((_request, socket) =>
    socket.write(answerOf(200, ['set-cookie: session=1', 'Set-Cookie2: session=2', 'set-cookie: b=2'], '{}')),
  )
  const before = till.upstream.requests.length
  const answer = await raw(till.port, bytesOf(GET, [minted.auth, 'Cookie: a=1', 'cookie2: $Version=1']))
  expect(JSON.stringify(till.upstream.requests[before]!.headers)).not.toMatch(/cookie/i)
  expect(JSON.stringify(answer.rawHeaders)).not.toMatch(/cookie/i)
})
