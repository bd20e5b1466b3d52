import assert from 'node:assert/strict'
import { connect } from 'node:net'
import fc from 'fast-check'
import type { AuditEvent } from '#domain/audit-event.ts'
import { requestHeaderPasses } from '#domain/headers.ts'
import { CREDENTIAL, type MintedKey, startPlane } from '#test/proxy/plane.ts'
import { type Fuzzer, propertyFuzzer } from './fuzzer.ts'
import { near } from './mutate.ts'
import { CORPUS, DICTIONARY, KEY } from './requests.ts'

/** Is admitted, whatever came before. */
const LAST = CORPUS[0]!.replace('Host:', 'Connection: close\r\nHost:')

/** What a scope of models `m-1` and the routes of the plane's two providers lets pass, said anew. */
const ADMITTED: readonly (readonly [line: RegExp, route: string])[] = [
  [/^POST \/v1\/responses$/, 'POST /v1/responses'],
  [/^GET \/v1\/items\/[^/]+$/, 'GET /v1/items/*'],
  [/^HEAD \/v1\/items\/[^/]+$/, 'HEAD /v1/items/*'],
  [/^DELETE \/v1\/items\/[^/]+$/, 'DELETE /v1/items/*'],
  [/^PUT \/v1\/files(?:\/[^/]+)+$/, 'PUT /v1/files/**'],
  [/^GET \/v1\/models$/, 'GET /v1/models'],
  [/^POST \/v1beta\/models\/[^/]+$/, 'POST /v1beta/models/*'],
]

/**
 * T14 to T22, G16: mutated requests on real sockets. Whatever reaches the provider is what was admitted and is on record:
 * as many requests as activations, each of a route and a model of the scope, with our credential and without the key.
 */
export async function wireFuzzer(): Promise<Fuzzer> {
  const till = await startPlane({ limits: { bodyIdle: 50 } })
  const routes = new Map([...till.providers.values()].map((provider) => [provider.name, provider.routes]))
  const mint = () => till.mint({ limit: 1_000_000, concurrentRequests: 10_000, scope: { routes, models: ['m-1'] } })
  let minted: MintedKey
  let before = 0

  const inner = propertyFuzzer(
    'wire',
    60,
    fc.array(near(CORPUS, DICTIONARY), { minLength: 1, maxLength: 3 }),
    async (texts) => {
      // 60 mints a minute are a repository's.
      till.now += 2
      minted = await mint()
      before = till.upstream.requests.length
      await deliver(till.port, texts.join('').replaceAll(KEY, minted.key))
      // One more, on a connection of its own: the broker lives, and all that came before is settled.
      await deliver(till.port, LAST.replaceAll(KEY, minted.key), 3000)
      await check(await settled(minted))
    },
  )

  /** The events of the key once every activation has finished. */
  async function settled({ events }: MintedKey): Promise<AuditEvent[]> {
    for (;;) {
      const all = await events()
      const count = (type: AuditEvent['type']) => all.filter((event) => event.type === type).length
      const free = all.filter((event) => event.type === 'request.finished' && event.free).length
      if (count('activation') + free === count('request.finished')) return all
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  async function check(events: readonly AuditEvent[]): Promise<void> {
    const requests = till.upstream.requests.slice(before)
    const recorded = events.flatMap((event) =>
      event.type === 'activation' || (event.type === 'request.finished' && event.free) ? [event] : [],
    )
    assert.equal(await minted.used(), events.filter(({ type }) => type === 'activation').length)
    // A client that was gone before its request was sent has paid for nothing; never the other way round.
    assert.ok(requests.length <= recorded.length, `${requests.length} sent, ${recorded.length} on record`)
    assert.ok(requests.length >= 1)
    const left = recorded.map(({ provider, route, model }) => `${provider} ${route} ${model}`)
    for (const { line, headers, body } of requests) {
      const [, asked, version] = /^(\S+ [^\s?]*)(?:\?\S*)? (HTTP\/1\.1)$/.exec(line) ?? []
      assert.equal(version, 'HTTP/1.1', line)
      const route = ADMITTED.find(([pattern]) => pattern.test(asked!))?.[1]
      assert.ok(route, `outside the scope: ${line}`)
      const all = JSON.stringify([line, headers, body])
      assert.ok(!all.includes(minted.key.slice(5, 30)), 'the key went to the provider')
      const names = headers.map(([name]) => name.toLowerCase())
      const ours = [
        'host',
        'connection',
        'content-length',
        'transfer-encoding',
        'accept-encoding',
        'authorization',
        'x-goog-api-key',
      ]
      for (const name of names) assert.ok(ours.includes(name) || requestHeaderPasses(name), name)
      for (const name of ours) assert.ok(names.filter((other) => other === name).length <= 1, name)
      assert.equal(headers.filter(([, value]) => value.includes(CREDENTIAL)).length, 1)
      assert.equal(headers.find(([name]) => name.toLowerCase() === 'host')?.[1], new URL(till.upstream.origin).host)
      const [provider, model] = route.includes('v1beta')
        ? ['paths', /models\/([^:]+)/.exec(asked!)?.[1]]
        : ['api', body === '' ? null : modelIn(body)]
      if (route.startsWith('POST')) assert.equal(model, 'm-1')
      const found = left.findIndex(
        (entry) =>
          entry.startsWith(`${provider} ${route} `) &&
          entry.endsWith(` ${route.startsWith('POST') ? 'm-1' : entry.split(' ').at(-1)}`),
      )
      assert.ok(found >= 0, `not on record: ${line}`)
      left.splice(found, 1)
    }
  }

  return { ...inner, close: () => till.close() }
}

function modelIn(body: string): unknown {
  try {
    return (JSON.parse(body) as { model?: unknown }).model
  } catch {
    return undefined
  }
}

/** Milliseconds of silence after which nothing more is expected. */
const QUIET = 30

/** Writes, and waits until the other side closes or falls silent. */
function deliver(port: number, bytes: string, quiet = QUIET): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')))
    socket.on('error', () => {}).on('close', () => resolve())
    socket.setTimeout(quiet, () => socket.destroy()).resume()
  })
}
