import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DOCUMENT_BYTES, fetchJson } from '#oidc/fetch-json.ts'
import {
  FIRST_FETCH_SECONDS,
  FRESH_SECONDS,
  type IssuerKeys,
  issuerKeys,
  LAST_GOOD_SECONDS,
  REFRESH_SECONDS,
  RESTORE_SECONDS,
} from '#oidc/issuer-keys.ts'
import { MOST_KEYS } from '#oidc/key-set.ts'
import { recordingLog } from '#test/support/recording-log.ts'
import { recordsInMemory } from '#test/support/records-in-memory.ts'
import { rsaKey, type SigningKey } from './forge.ts'
import { broken, json, type KeyServer, startKeyServer } from './key-server.ts'

const NOW = 1_795_000_000
const one = rsaKey('one')
const two = rsaKey('two')
const short = rsaKey('short', 1024)

let server: KeyServer
let records: ReturnType<typeof recordsInMemory>
let log: ReturnType<typeof recordingLog>
let now: number
let keys: IssuerKeys

beforeEach(async () => {
  server = await startKeyServer(one)
  records = recordsInMemory()
  log = recordingLog()
  now = NOW
  keys = broker()
})
afterEach(() => server.close())

/** A broker that starts now, with what the one before it stored. */
const broker = () => issuerKeys({ clock: () => now, log, records })
const find = async (kid: string) => {
  const found = await keys.find(server.url, kid)
  return typeof found === 'string' ? found : 'key'
}
const stored = () => vi.waitFor(() => expect(records.stored.size).toBe(1))
const outage = () => {
  server.discovery = broken
}

describe('T11: a key set', () => {
  test('is found by way of the discovery document', async () => {
    expect(await find('one')).toBe('key')
    expect(server.requests).toEqual(['/.well-known/openid-configuration', '/jwks'])
  })

  test('gives a key that verifies RS256 and nothing else', async () => {
    const key = await keys.find(server.url, 'one')
    expect(key).toMatchObject({
      algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: { name: 'SHA-256' } },
      usages: ['verify'],
    })
  })

  const published = (...jwks: unknown[]) => {
    server.jwks = json({ keys: jwks })
  }
  const without = (name: string, key: SigningKey) => ({ ...key.jwk, [name]: undefined })

  test.each<[string, unknown]>([
    ['an elliptic key', { kty: 'EC', crv: 'P-256', kid: 'bad', x: 'AA', y: 'AA', use: 'sig' }],
    ['a key that calls itself elliptic', { ...two.jwk, kid: 'bad', kty: 'EC' }],
    ['a secret', { kty: 'oct', kid: 'bad', k: 'c2VjcmV0', use: 'sig', alg: 'HS256' }],
    ['an RSA key under 2048 bits', { ...short.jwk, kid: 'bad' }],
    [
      'an RSA key with leading zeros up to 2048 bits',
      { ...short.jwk, kid: 'bad', n: `${'A'.repeat(172)}${short.jwk['n']}` },
    ],
    ['an RSA key over 8192 bits', { ...two.jwk, kid: 'bad', n: '_'.repeat(1400) }],
    ['an RSA key whose exponent is 1', { ...two.jwk, kid: 'bad', e: 'AQ' }],
    ['a key for encryption', { ...two.jwk, kid: 'bad', use: 'enc' }],
    ['a key of another algorithm', { ...two.jwk, kid: 'bad', alg: 'PS256' }],
    ['a key that may only sign', { ...two.jwk, kid: 'bad', key_ops: ['sign'] }],
    ['a key without a modulus', { ...without('n', two), kid: 'bad' }],
    ['a key whose kid is a number', { ...two.jwk, kid: 7 }],
    ['a key without kid', without('kid', two)],
    ['no object', 'bad'],
    ['null', null],
  ])('passes over %s and keeps the rest', async (_, jwk) => {
    published(jwk, one.jwk)
    expect([await find('one'), await find('bad')]).toEqual(['key', 'unknown_kid'])
  })

  test('may leave use and alg out', async () => {
    published({ kty: 'RSA', kid: 'one', n: one.jwk['n'], e: 'AQAB' })
    expect(await find('one')).toBe('key')
  })

  test.each<[string, Record<string, unknown>]>([
    ['another key', two.jwk],
    ['the same key', one.jwk],
    ['a key that could not be used anyway', { kty: 'oct', k: 'AA' }],
  ])('disables a kid under which also %s stands, and no other', async (_, jwk) => {
    published(one.jwk, { ...jwk, kid: 'one' }, two.jwk)
    expect([await find('one'), await find('two')]).toEqual(['unknown_kid', 'key'])
  })

  test(`of more than ${MOST_KEYS} keys is refused as a whole`, async () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => ({ kty: 'oct', kid: `k${i}` }))
    published(one.jwk, ...many(MOST_KEYS))
    expect(await find('one')).toBe('unavailable')
    published(one.jwk, ...many(MOST_KEYS - 1))
    now += FIRST_FETCH_SECONDS
    expect(await find('one')).toBe('key')
  })

  test.each<[string, (response: ServerResponse) => void]>([
    ['no key', json({ keys: [] })],
    ['no usable key', json({ keys: [{ kty: 'oct', kid: 'one', k: 'AA' }] })],
    ['no list', json({ keys: {} })],
    ['a list', json([one.jwk])],
    ['a member twice', (response) => response.end(`{"keys":[],"keys":[${JSON.stringify(one.jwk)}]}`)],
    ['100,000 brackets', (response) => response.end('{"keys":'.padEnd(100_000, '['))],
    ['no JSON', (response) => response.end('<html>')],
    ['nothing', (response) => response.end()],
    ['a fault', broken],
    ['a status that is not 200', (response) => response.writeHead(203).end(JSON.stringify({ keys: [one.jwk] }))],
    [
      'half an answer',
      (response) => response.writeHead(200, { 'content-length': 999 }).write('{"keys":[', () => response.destroy()),
    ],
  ])('that is %s leaves the keys unavailable', async (_, answer) => {
    server.jwks = answer
    expect(await find('one')).toBe('unavailable')
    expect(log.lines.at(-1)).toContain('issuer.keys_unavailable')
  })
})

describe('T11: fetching', () => {
  test('reads no further than 256 KiB of a document of 200,000 keys', async () => {
    const chunk = `${JSON.stringify(one.jwk)},`.repeat(200)
    let written = 0
    let ended: (() => void) | undefined
    const closed = new Promise<void>((resolve) => {
      ended = resolve
    })
    server.jwks = (response) => {
      response.on('close', () => ended?.())
      response.write('{"keys":[')
      const more = () => {
        while (!response.destroyed && written < 1000) {
          written++
          if (!response.write(chunk)) return void response.once('drain', more)
        }
        response.end(']}')
      }
      more()
    }
    expect(await find('one')).toBe('unavailable')
    expect(log.lines.at(-1)).toContain('too_large')
    await closed
    expect(written).toBeLessThan(1000)
  })

  test('accepts a document of exactly 256 KiB', async () => {
    const document = JSON.stringify({ keys: [one.jwk] })
    server.jwks = (response) => response.end(document.padEnd(DOCUMENT_BYTES))
    expect(await find('one')).toBe('key')
    server.jwks = (response) => response.end(document.padEnd(DOCUMENT_BYTES + 1))
    keys = issuerKeys({ clock: () => now, log })
    expect(await find('one')).toBe('unavailable')
  })

  test('gives up on a body that does not end', async () => {
    server.jwks = (response) => response.write('{"keys":[')
    expect(await fetchJson(new URL(`${server.url}/jwks`), { timeoutMilliseconds: 50 })).toBe('timeout')
  })

  test('gives up on an answer that does not begin', async () => {
    server.jwks = () => {}
    expect(await fetchJson(new URL(`${server.url}/jwks`), { timeoutMilliseconds: 50 })).toBe('timeout')
  })

  test.each([301, 302, 303, 307, 308])('follows no redirect (%i)', async (status) => {
    server.jwks = (response) => response.writeHead(status, { location: `${server.url}/other` }).end()
    expect(await find('one')).toBe('unavailable')
    expect(server.requests).toEqual(['/.well-known/openid-configuration', '/jwks'])
  })

  test.each<[string, (url: string) => string]>([
    ['another port', (url) => url.replace(/:\d+$/, ':1/jwks')],
    ['another host', (url) => `${url.replace('127.0.0.1', '127.0.0.2')}/jwks`],
    ['another scheme', (url) => `${url.replace('http:', 'https:')}/jwks`],
    ['a user name', (url) => `${url.replace('//', '//user@')}/jwks`],
    ['a file', () => 'file:///etc/passwd'],
    ['data', (url) => `data:application/json,{"keys":[]}#${url}`],
    ['a relative address', () => '/jwks'],
    ['nothing', () => ''],
  ])('goes to no jwks_uri with %s', async (_, jwksUri) => {
    server.discovery = json({ issuer: server.url, jwks_uri: jwksUri(server.url) })
    expect(await find('one')).toBe('unavailable')
    expect(log.lines.at(-1)).toContain('"jwks_uri"')
    expect(server.fetches()).toBe(0)
  })

  test.each([
    ['a trailing slash', '/'],
    ['another path', '/acme'],
  ])('refuses a discovery document whose issuer has %s', async (_, end) => {
    server.discovery = json({ issuer: `${server.url}${end}`, jwks_uri: `${server.url}/jwks` })
    expect(await find('one')).toBe('unavailable')
    expect(server.fetches()).toBe(0)
  })

  test.each([
    'http://localhost:1',
    'http://issuer.example.com',
    'http://127.0.0.1.example.com',
    'ftp://127.0.0.1',
    'issuer',
  ])('sends nothing in the clear to %s', async (issuer) => {
    expect(await keys.find(issuer, 'one')).toBe('unavailable')
    expect(log.lines.at(-1)).toContain('issuer_url')
  })

  test('happens once for many tokens that come at the same time', async () => {
    expect(new Set(await Promise.all(Array.from({ length: 100 }, () => find('one'))))).toEqual(new Set(['key']))
    expect(server.fetches()).toBe(1)
  })

  test('happens once for a flood of unknown kids', async () => {
    await find('one')
    now += REFRESH_SECONDS
    await Promise.all(Array.from({ length: 500 }, (_, i) => find(`unknown-${i}`)))
    for (let i = 0; i < 20; i++) await find(`later-${i}`)
    expect(server.fetches()).toBe(2)
    now += REFRESH_SECONDS - 1
    expect(await find('unknown')).toBe('unknown_kid')
    expect(server.fetches()).toBe(2)
    now += 1
    expect(await find('unknown')).toBe('unknown_kid')
    expect(server.fetches()).toBe(3)
  })

  test('happens at most every five seconds while no key is known', async () => {
    outage()
    for (let i = 0; i < 20; i++) expect(await find('one')).toBe('unavailable')
    expect(server.requests).toHaveLength(1)
    now += FIRST_FETCH_SECONDS
    expect(await find('one')).toBe('unavailable')
    expect(server.requests).toHaveLength(2)
  })
})

describe('rotation', () => {
  test('finds a new kid with the first token that names it', async () => {
    await find('one')
    server.publish(one, two)
    now += REFRESH_SECONDS
    expect(await find('two')).toBe('key')
  })

  test('forgets a kid that the issuer published no more', async () => {
    await find('one')
    server.publish(two)
    now += FRESH_SECONDS
    await keys.refresh(server.url)
    expect([await find('one'), await find('two')]).toEqual(['unknown_kid', 'key'])
  })

  test('is noticed in the background, so that no token waits for it', async () => {
    await find('one')
    now += FRESH_SECONDS
    let answer: (() => void) | undefined
    server.jwks = (response) => {
      answer = () => json({ keys: [two.jwk] })(response)
    }
    expect(await find('one')).toBe('key')
    await vi.waitFor(() => expect(answer).toBeDefined())
    answer?.()
    await vi.waitFor(async () => expect(await find('two')).toBe('key'))
  })

  test('refreshes nothing that is fresh', async () => {
    await keys.refresh(server.url)
    now += FRESH_SECONDS - 1
    await keys.refresh(server.url)
    expect(server.fetches()).toBe(1)
    now += 1
    await keys.refresh(server.url)
    expect(server.fetches()).toBe(2)
  })
})

describe('G12: an outage of the issuer', () => {
  test('leaves known kids usable for 24 hours and refuses unknown ones', async () => {
    await find('one')
    outage()
    now += LAST_GOOD_SECONDS
    expect([await find('one'), await find('two')]).toEqual(['key', 'unknown_kid'])
    expect(keys.isKnown(server.url)).toBe(true)
  })

  test('ends the trust in the last good set after 24 hours', async () => {
    await find('one')
    outage()
    now += LAST_GOOD_SECONDS + 1
    expect(await find('one')).toBe('unavailable')
    expect(keys.isKnown(server.url)).toBe(false)
  })

  test('is not ended by a restart: the last good set was stored', async () => {
    await find('one')
    await stored()
    outage()
    now += LAST_GOOD_SECONDS
    keys = broker()
    expect(await find('one')).toBe('key')
    now += 1
    keys = broker()
    expect(await find('one')).toBe('unavailable')
  })

  test('ends with the next token after the issuer came back', async () => {
    outage()
    expect(await find('one')).toBe('unavailable')
    server.discovery = json({ issuer: server.url, jwks_uri: `${server.url}/jwks` })
    now += FIRST_FETCH_SECONDS
    expect(await find('one')).toBe('key')
  })

  test('does not let a set with no usable key replace the last good one', async () => {
    await find('one')
    server.jwks = json({ keys: [] })
    now += FRESH_SECONDS
    await keys.refresh(server.url)
    expect(await find('one')).toBe('key')
  })
})

describe('a stored key set', () => {
  const stored = (record: unknown) =>
    records.stored.set(
      `issuer-keys|${server.url}`,
      Buffer.from(typeof record === 'string' ? record : JSON.stringify(record)),
    )
  const good = () => ({ issuer: server.url, fetched_at: NOW, keys: [one.jwk] })

  beforeEach(outage)

  test('is used when the issuer does not answer', async () => {
    stored(good())
    expect(await find('one')).toBe('key')
  })

  test('gives way to the one that the issuer publishes now', async () => {
    stored(good())
    server.discovery = json({ issuer: server.url, jwks_uri: `${server.url}/jwks` })
    server.publish(two)
    expect([await find('one'), await find('two')]).toEqual(['unknown_kid', 'key'])
  })

  test.each<[string, () => unknown]>([
    ['is of another issuer', () => ({ ...good(), issuer: 'https://token.actions.githubusercontent.com' })],
    ['comes from the future', () => ({ ...good(), fetched_at: NOW + 60 })],
    ['has no time', () => ({ ...good(), fetched_at: undefined })],
    ['has a time that is a text', () => ({ ...good(), fetched_at: String(NOW) })],
    ['holds only weak keys', () => ({ ...good(), keys: [{ ...short.jwk, kid: 'one' }] })],
    ['holds no keys', () => ({ ...good(), keys: undefined })],
    ['is no JSON', () => '{'],
    ['is empty', () => ''],
  ])('is not used when it %s', async (_, record) => {
    stored(record())
    expect(await find('one')).toBe('unavailable')
  })

  test('that cannot be read is a line in the log, not a fault', async () => {
    records.readRecord = () => Promise.reject(new Error('sealed under another master key'))
    expect(await find('one')).toBe('unavailable')
    expect(log.lines.join()).toContain('issuer.keys_not_restored')
  })

  test('that could not be read once is read again, and not at each token', async () => {
    stored(good())
    const { readRecord } = records
    let reads = 0
    records.readRecord = () => {
      reads++
      return Promise.reject(new Error('the database is locked'))
    }
    expect([await find('one'), await find('one'), reads]).toEqual(['unavailable', 'unavailable', 1])
    records.readRecord = readRecord
    now += RESTORE_SECONDS
    expect(await find('one')).toBe('key')
  })

  test('that is read at last does not take the place of one that was fetched', async () => {
    stored(good())
    const { readRecord } = records
    records.readRecord = () => Promise.reject(new Error('the database is locked'))
    server.discovery = json({ issuer: server.url, jwks_uri: `${server.url}/jwks` })
    records.writeRecord = () => Promise.reject(new Error('the database is locked'))
    server.publish(two)
    expect(await find('two')).toBe('key')
    records.readRecord = readRecord
    now += RESTORE_SECONDS
    expect([await find('one'), await find('two')]).toEqual(['unknown_kid', 'key'])
  })

  test('that cannot be written is a line in the log, and the keys are good', async () => {
    server.discovery = json({ issuer: server.url, jwks_uri: `${server.url}/jwks` })
    records.writeRecord = () => Promise.reject(new Error('disk full'))
    expect(await find('one')).toBe('key')
    await vi.waitFor(() => expect(log.lines.join()).toContain('issuer.keys_not_stored'))
  })
})

test('T35: a clock that is set back neither keeps an old set alive nor stops fetching', async () => {
  await find('one')
  server.publish(two)
  now -= 3_600
  expect([await find('two'), await find('one')]).toEqual(['key', 'unknown_kid'])
})
