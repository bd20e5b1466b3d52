import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bytesOf, openRaw, type RawConnection } from '#test/support/raw-client.ts'
import { answerOf } from '#test/support/raw-upstream.ts'
import { CREDENTIAL, type MintedKey, type PlaneUnderTest, startPlane } from './plane.ts'

let till: PlaneUnderTest
let connection: RawConnection
beforeEach(async () => {
  till = await startPlane()
  connection = await openRaw(till.port)
})
afterEach(async () => {
  connection.close()
  await till.close()
})

/** A request whose head is the one before but for the length of its body, if the key is the same. */
async function ask({ auth }: Pick<MintedKey, 'auth'>, body: string, path = '/v1/responses') {
  connection.write(bytesOf(`POST /proxy/api${path}`, [auth, 'content-type: application/json'], body))
  return connection.answer()
}
const code = async (...args: Parameters<typeof ask>) => (await ask(...args)).headers['till-error'] ?? 200

test('G16: keys that take turns on one connection have each its own scope, count and credential', async () => {
  const { routes } = (await till.mint()).grant.scope
  const [any, none, one] = [
    await till.mint(),
    await till.mint({ scope: { routes: new Map([['api', []]]), models: null } }),
    await till.mint({ scope: { routes, models: ['m-1'] } }),
  ]
  for (let n = 1; n <= 3; n++) {
    for (const body of ['{"model":"m-1"}', '{"model":"m-22"}'])
      expect([await code(any, body), await code(none, body)]).toEqual([200, 'scope_denied'])
    expect([await code(one, '{"model":"m-1"}'), await code(one, '{"model":"m-22"}')]).toEqual([200, 'scope_denied'])
    const { headers } = await ask(any, '{"model":"m-1"}')
    expect([headers['till-key-id'], headers['till-activations-used']]).toEqual([any.grant.id, String(3 * n)])
  }
  expect([await any.used(), await none.used(), await one.used()]).toEqual([9, 0, 3])
  expect(await code({ auth: any.auth.slice(0, -1) }, '{}')).toBe('key_invalid')
})

test('a head that comes again goes by the configuration and the credential as they are now', async () => {
  const minted = await till.mint()
  const credentials = () => till.upstream.requests.map(({ headers }) => new Map(headers).get('authorization'))
  expect(await code(minted, '{}')).toBe(200)
  till.credentials.set('api', 'another')
  expect(await code(minted, '{"a":1}')).toBe(200)
  expect(credentials()).toEqual([`Bearer ${CREDENTIAL}`, 'Bearer another'])

  const api = till.providers.get('api')!
  till.reload([{ ...api, header: { name: 'x-api-key', before: '', after: '' } }])
  expect(await code(minted, '{"a":12}')).toBe(200)
  expect(till.upstream.requests[2]!.headers).toContainEqual(['x-api-key', 'another'])
  till.reload([])
  expect(await code(minted, '{"a":123}')).toBe('scope_denied')
  till.reload([api])
  till.credentials.delete('api')
  expect(await code(minted, '{"a":1234}')).toBe('credential_missing')
  expect(await minted.used()).toBe(3)
})

test('a head that comes again is refused once its key is spent or has ended', async () => {
  const minted = await till.mint({ limit: 2 })
  for (const answer of [200, 200, 'activations_exhausted']) expect(await code(minted, '{}')).toBe(answer)
  const other = await till.mint()
  expect(await code(other, '{}')).toBe(200)
  await till.ledger.end(other.grant, 'revoked_by_job', till.now)
  expect(await code(other, '{}')).toBe('key_revoked')
})

test('an answer that the system does not take counts as one to a client that went away, and nothing more is charged', async () => {
  const minted = await till.mint()
  let provider: { write(bytes: string): unknown } | null = null
  till.upstream.answers((_request, socket) => {
    provider = socket
  })
  const client = connect(till.port, '127.0.0.1')
  await once(client, 'connect')
  const request = bytesOf('POST /proxy/api/v1/responses', [minted.auth], '{}')
  client.write(request)
  await till.upstream.request(1)
  // So much that the broker does not read, and so does not hear of the reset.
  client.write(request.repeat(4000))
  await sleep(200)
  client.resetAndDestroy()
  await sleep(50)
  provider!.write(answerOf(200, [], '{}'))
  const [finished] = (await minted.events('request.finished')).filter(({ type }) => type === 'request.finished')
  expect(finished).toMatchObject({ outcome: 'client_gone' })
  expect([await minted.used(), till.upstream.requests.length]).toEqual([1, 1])
})

test('what stands behind the end of a client is not charged', async () => {
  const minted = await till.mint({ limit: 500 })
  till.upstream.answers((_request, socket) => socket.write(answerOf(200, [], 'x'.repeat(60_000))))
  const client = connect({ port: till.port, host: '127.0.0.1', allowHalfOpen: true })
  await once(client, 'connect')
  client.pause()
  client.write(bytesOf('POST /proxy/api/v1/responses', [minted.auth], '{}').repeat(300))
  // Until so much is unread that an answer waits for the system to take it.
  let sent = -1
  for (; sent !== till.upstream.requests.length; await sleep(250)) sent = till.upstream.requests.length
  client.end()
  await sleep(100)
  client.resume()
  await once(client, 'end')
  await sleep(100)
  expect([await minted.used(), till.upstream.requests.length]).toEqual([sent, sent])
})
