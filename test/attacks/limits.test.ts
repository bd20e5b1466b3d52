import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTROL_LIMITS } from '#control/call.ts'
import { MAX_JSON_DEPTH } from '#domain/json-body.ts'
import { DEFAULT_CONCURRENT_REQUESTS, MAX_ACTIVATIONS, MAX_LIFE_SECONDS } from '#domain/policy.ts'
import { MAX_TARGET_BYTES } from '#domain/target.ts'
import { MOST_TOKEN_BYTES } from '#oidc/decode-id-token.ts'
import { DOCUMENT_BYTES } from '#oidc/fetch-json.ts'
import { MOST_KEYS } from '#oidc/key-set.ts'
import { MAX_HEADERS } from '#proxy/framing.ts'
import { DEFAULT_LIMITS } from '#proxy/limits.ts'
import { LISTENER } from '#proxy/listener.ts'
import { TOKENS_PER_MINUTE } from '#storage/mint-decision.ts'
import { openRaw, raw } from '#test/support/raw-client.ts'
import { type MintFailed, startTill, type Till } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'

const MIB = 1_048_576

test('T56: the limits are those of the contract, section 9', () => {
  expect([1, MAX_ACTIVATIONS, MAX_LIFE_SECONDS]).toEqual([1, 1e9, 7 * 86_400])
  expect([LISTENER.maxHeaderSize, MAX_HEADERS]).toEqual([16 * 1024, 100])
  expect([MAX_TARGET_BYTES, DEFAULT_LIMITS.targetBytes, CONTROL_LIMITS.targetBytes]).toEqual([4096, 4096, 4096])
  expect([MOST_TOKEN_BYTES, CONTROL_LIMITS.bodyBytes]).toEqual([8 * 1024, 16 * 1024])
  expect([DEFAULT_LIMITS.bodyBytes, DEFAULT_LIMITS.checkedBodyBytes]).toEqual([32 * MIB, 8 * MIB])
  expect([MAX_JSON_DEPTH, DOCUMENT_BYTES, MOST_KEYS]).toEqual([64, 256 * 1024, 100])
  expect([LISTENER.headersTimeout, DEFAULT_LIMITS.bodyIdle, DEFAULT_LIMITS.connect]).toEqual([10_000, 30_000, 10_000])
  expect([DEFAULT_LIMITS.firstByte, DEFAULT_LIMITS.streamIdle]).toEqual([600_000, 300_000])
  expect([DEFAULT_CONCURRENT_REQUESTS, TOKENS_PER_MINUTE]).toEqual([32, 60])
})

/** Each limit on the wire, of the real listener with its real defaults: at the limit, and one beyond it. */
describe('T56: on the wire', () => {
  let till: Till
  let minted: MintAnswer
  let narrow: MintAnswer
  const port = () => Number(new URL(till.url).port)
  /** Stands still, so that no minute ends within a test; ahead, so that no token is ever from the future. */
  const now = Math.floor(Date.now() / 60_000) * 60 + 90
  beforeAll(async () => {
    const policy = {
      repository_id: '101',
      providers: ['openai', 'billing'],
      activations: MAX_ACTIVATIONS,
      expires_in: MAX_LIFE_SECONDS,
    }
    till = await startTill({
      policies: [
        { ...policy, name: 'any' },
        { ...policy, name: 'one-model', providers: ['openai'], models: ['gpt-5-mini'] },
      ],
      clock: () => now,
    })
    minted = await till.mint({ policy: 'any', providers: ['openai', 'billing'] })
    narrow = await till.mint({ policy: 'one-model' })
  })
  afterAll(() => till.close())

  /** The status of a whole request; `head` without its last empty line. */
  const status = async (head: string, body = '') => (await raw(port(), `${head}\r\n\r\n${body}`)).status
  const models = (more: string) =>
    `GET /proxy/openai/v1/models HTTP/1.1\r\nhost: till\r\nauthorization: Bearer ${minted.key}\r\n${more}`

  test('a header block of 16 KiB is read, a larger one is not', async () => {
    // Node counts names and values, and not what stands between them.
    const block = (bytes: number) => models(`x: ${'a'.repeat(bytes)}`)
    expect(await status(block(16_000))).toBe(200)
    expect(await status(block(16_384))).toBe(431)
    expect(await status(`GET /healthz HTTP/1.1\r\nhost: till\r\nx: ${'a'.repeat(16_384)}`)).toBe(431)
  })

  test('100 headers are read, 101 are not', async () => {
    const headers = (count: number) => Array.from({ length: count }, (_, n) => `x-${n}: 1`).join('\r\n')
    expect(await status(models(headers(98)))).toBe(200)
    expect(await status(models(headers(99)))).toBe(400)
    expect(await status(`GET /healthz HTTP/1.1\r\nhost: till\r\n${headers(99)}`)).toBe(200)
    expect(await status(`GET /healthz HTTP/1.1\r\nhost: till\r\n${headers(100)}`)).toBe(400)
  })

  test('a target of 4096 bytes is read, one of 4097 is not', async () => {
    const long = (path: string, bytes: number) =>
      `GET ${path.padEnd(bytes, 'a')} HTTP/1.1\r\nhost: till\r\nauthorization: Bearer ${minted.key}`
    expect(await status(long('/proxy/openai/v1/models?x=', 4096))).toBe(200)
    expect(await status(long('/proxy/openai/v1/models?x=', 4097))).toBe(400)
    expect(await status(long('/healthz?', 4096))).toBe(200)
    expect(await status(long('/healthz?', 4097))).toBe(400)
  })

  test('an ID token of 8 KiB is verified, one byte more is refused unread', async () => {
    const job = till.issuer.job()
    const mint = async (pad: number) => {
      const token = await job.token({ aud: till.url, pad: 'x'.repeat(pad) })
      const head = `POST /v1/keys HTTP/1.1\r\nhost: till\r\nauthorization: Bearer ${token}\r\ncontent-length: 2`
      return { length: token.length, status: await status(head, '{}') }
    }
    // Base64 grows by four digits for three bytes: a pad is looked for that makes the limit exactly, or just misses it.
    const bare = (await mint(0)).length
    const pad = Math.floor(((MOST_TOKEN_BYTES - bare) * 3) / 4)
    const [within, beyond] = [await mint(pad - 2), await mint(pad + 3)]
    expect([within.length <= MOST_TOKEN_BYTES, MOST_TOKEN_BYTES - within.length < 8]).toEqual([true, true])
    expect([beyond.length > MOST_TOKEN_BYTES, beyond.length - MOST_TOKEN_BYTES < 8]).toEqual([true, true])
    // The token verifies; it is the body that is not as expected.
    expect([within.status, beyond.status]).toEqual([400, 401])
  })

  test('the body of a mint of 16 KiB is read, of one byte more it is not', async () => {
    const mint = async (bytes: number) => {
      const token = await till.issuer.job().token({ aud: till.url })
      const head = `POST /v1/keys HTTP/1.1\r\nhost: till\r\nauthorization: Bearer ${token}\r\ncontent-length: ${bytes}`
      return status(head, '{"providers":["openai"]}'.padEnd(bytes))
    }
    expect([await mint(16_384), await mint(16_385)]).toEqual([201, 413])
  })

  const post = (key: string, path: string, bytes: number) =>
    `POST /proxy/${path} HTTP/1.1\r\nhost: till\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${bytes}`

  test('a body of 32 MiB is passed on, one byte more is refused before it is sent', async () => {
    const [most, beyond] = [32 * MIB, 32 * MIB + 1]
    till.provider.next({ body: '{}' })
    expect(await status(post(minted.key, 'billing/invoices', most), 'x'.repeat(most))).toBe(200)
    expect(await status(post(minted.key, 'billing/invoices', beyond))).toBe(413)
  })

  test('a body of 32 MiB in chunks is passed on, of one byte more the rest is not', async () => {
    const head = post(minted.key, 'billing/invoices', 0).replace('content-length: 0', 'transfer-encoding: chunked')
    const chunk = `${MIB.toString(16)}\r\n${'x'.repeat(MIB)}\r\n`
    till.provider.next({ body: '{}' }, { body: '{}' })
    expect(await status(head, `${chunk.repeat(32)}0\r\n\r\n`)).toBe(200)
    expect(await status(head, `${chunk.repeat(32)}1\r\nx\r\n0\r\n\r\n`)).toBe(413)
  })

  test('where the model is checked, a body of 8 MiB is read, of one byte more it is not', async () => {
    const json = (bytes: number) => '{"model":"gpt-5-mini","input":"'.padEnd(bytes - 2, 'x').concat('"}')
    const send = (bytes: number) => status(post(narrow.key, 'openai/v1/responses', bytes), json(bytes))
    expect([await send(8 * MIB), await send(8 * MIB + 1)]).toEqual([200, 413])
  })

  test('32 requests of a key may be open, the next is told to wait', async () => {
    const open = await Promise.all(
      Array.from({ length: DEFAULT_CONCURRENT_REQUESTS }, async () => {
        const connection = await openRaw(port())
        // Its body is read before it is admitted, and does not come.
        connection.write(`${post(narrow.key, 'openai/v1/responses', 100)}\r\nexpect: 100-continue\r\n\r\n`)
        await connection.until('100 Continue')
        return connection
      }),
    )
    const next = await raw(port(), `${post(narrow.key, 'openai/v1/responses', 100)}\r\n\r\n`)
    expect([next.status, next.headers['till-error'], next.headers['retry-after']]).toEqual([
      429,
      'too_many_concurrent',
      '1',
    ])
    for (const connection of open) connection.close()
  })

  test('activations from 1 to 1,000,000,000 and lives from 1 s to 7 days can be asked for, others not', async () => {
    const ask = async (wish: object) =>
      till.mint({ policy: 'any', job: till.issuer.job({ repository_id: '101', run_id: '8' }), ...wish }).then(
        () => 201,
        (error: MintFailed) => error.status,
      )
    for (const good of [1, MAX_ACTIVATIONS]) expect(await ask({ activations: good })).toBe(201)
    for (const bad of [0, MAX_ACTIVATIONS + 1, 1.5, -1]) expect(await ask({ activations: bad })).toBe(400)
    for (const good of [1, MAX_LIFE_SECONDS]) expect(await ask({ expires_in: good })).toBe(201)
    for (const bad of [0, MAX_LIFE_SECONDS + 1]) expect(await ask({ expires_in: bad })).toBe(400)
  })

  test('60 tokens of a repository are taken in a minute, the next is not, and another repository has its own', async () => {
    const mint = async (repository: string) => {
      const job = till.issuer.job({ repository_id: repository })
      return till.mint({ policy: 'any', job }).then(
        () => 201,
        (error: MintFailed) => error.status,
      )
    }
    const statuses: number[] = []
    // Those of another repository are refused by the policy, and counted all the same.
    for (let n = 0; n < TOKENS_PER_MINUTE + 1; n++) statuses.push(await mint('202'))
    expect(statuses).toEqual([...Array(TOKENS_PER_MINUTE).fill(403), 429])
    expect(await mint('203')).toBe(403)
  })
})
