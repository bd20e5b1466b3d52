import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { digest } from '#crypto/digest.ts'
import { eventText, FIRST_PREV } from '#domain/audit-event.ts'
import { isKey } from '#domain/key.ts'
import { receiptOf } from '#domain/receipt.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { MintFailed, POLICY, startTill, type Till } from '#test/support/start-till.ts'
import { receiptMarkdown } from '#views/receipt.ts'
import type { MintAnswer } from '#wire/mint.ts'

/** The product is one line of eight arrows (docs/architecture.md). Here each is seen from outside, over real sockets. */
let till: Till
beforeAll(async () => {
  till = await startTill({
    policies: [
      {
        ...POLICY,
        models: ['gpt-5-*'],
        providers: ['openai'],
        claims: { event_name: ['push'], ref: 'refs/heads/main' },
      },
    ],
  })
})
afterAll(() => till?.close())
beforeEach(() => till.provider.reset())

describe('1. an ID token becomes verified claims', () => {
  test('a token that the issuer signed for this broker is accepted', async () => {
    await expect(till.mint()).resolves.toMatchObject({ policy: 'review' })
  })

  test.each([
    ['for another audience', { aud: 'https://till.example.com' }],
    ["for GitHub's default audience", { aud: 'https://github.com/acme' }],
    ['for two audiences', { aud: ['https://till.example.com', 'x'] }],
    ['of another issuer', { iss: 'https://token.actions.githubusercontent.com' }],
    ['that is over', { exp: 1_700_000_000, iat: 1_699_999_700, nbf: 1_699_999_700 }],
    ['without jti', { jti: undefined }],
  ])('a token %s is token_invalid', async (_what, claims) => {
    const token = await till.issuer.token({ aud: till.url, ...claims })
    expect(await mintWith(token)).toMatchObject({ status: 401, code: 'token_invalid' })
  })

  test('a token that was changed after it was signed is token_invalid', async () => {
    const [head, body, signature] = (await till.issuer.token({ aud: till.url })).split('.') as [string, string, string]
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object
    const changed = Buffer.from(JSON.stringify({ ...claims, actor: 'mallory' })).toString('base64url')
    expect(await mintWith(`${head}.${changed}.${signature}`)).toMatchObject({ status: 401, code: 'token_invalid' })
  })

  test('a token that was used before is token_replayed', async () => {
    const token = await till.issuer.token({ aud: till.url })
    expect(await mintWith(token)).toMatchObject({ status: 201 })
    expect(await mintWith(token)).toMatchObject({ status: 401, code: 'token_replayed' })
  })
})

describe('2. claims become the identity of a job', () => {
  test('fresh tokens of one job are the same job, and have one budget', async () => {
    const job = till.issuer.job()
    await till.mint({ job })
    await expect(till.mint({ job })).rejects.toMatchObject(refused(409, 'already_minted'))
  })

  test('jobs of one run that differ in check_run_id have a budget each', async () => {
    const [one, two] = [await till.mint(), await till.mint()]
    expect(one.job.run_id).toBe(two.job.run_id)
    expect(one.job.check_run_id).not.toBe(two.job.check_run_id)
  })

  test('a token without check_run_id names no job', async () => {
    const job = till.issuer.job({ check_run_id: undefined })
    await expect(till.mint({ job })).rejects.toMatchObject(refused(401, 'token_invalid'))
  })
})

describe('3. an identity and what it asks for become a decision', () => {
  test('a job that the policy names gets what it asks for, or less than the policy gives', async () => {
    expect(await till.mint({ activations: 3 })).toMatchObject({ policy: 'review', activations: 3 })
  })

  test('a failing claim is named with the value of the token, and not that of the policy', async () => {
    const job = till.issuer.job({ ref: 'refs/heads/feature' })
    const failed = await failure(till.mint({ job }))
    expect(failed).toMatchObject(refused(403, 'policy_denied'))
    expect(failed.problem['detail']).toContain('refs/heads/feature')
    expect(failed.problem['detail']).not.toContain('refs/heads/main')
  })

  test('a repository that no policy names is told nothing', async () => {
    const failed = await failure(till.mint({ job: till.issuer.job({ repository_id: '999' }) }))
    expect(failed).toMatchObject(refused(403, 'policy_denied'))
    expect(failed.problem['detail']).not.toContain('review')
  })

  test.each([
    ['activations', { activations: 26 }],
    ['providers', { providers: ['anthropic'] }],
    ['routes', { routes: ['POST /v1/images/generations'] }],
    ['models', { models: ['gpt-5-mini', 'o9'] }],
    ['expires_in', { expires_in: 86_400 }],
  ])('asking for more than the policy gives is policy_denied, with the field: %s', async (field, ask) => {
    const failed = await failure(till.mint(ask))
    expect(failed).toMatchObject(refused(403, 'policy_denied'))
    expect(failed.problem['detail']).toContain(field)
  })
})

describe('4. a decision becomes a grant and the text of a key', () => {
  test('the key is one word with a checksum, and its base URL is what the SDK of the provider expects', async () => {
    const minted = await till.mint()
    expect(minted.key).toMatch(/^till_[0-9A-Za-z]{1,75}$/)
    expect(isKey(minted.key)).toBe(true)
    expect(minted.providers).toEqual({ openai: { base_url: `${till.url}/proxy/openai/v1` } })
    expect(minted.scope).toMatchObject({ models: ['gpt-5-*'] })
  })

  test('neither the key nor the credential stands in any file of the broker', async () => {
    const minted = await till.mint()
    await call(minted)
    const folder = dirname(till.database)
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, name))
      for (const secret of [minted.key, till.provider.credentials.openai])
        for (const form of [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64')])
          expect(bytes.includes(form), `${name} holds a secret`).toBe(false)
    }
  })
})

describe('5. a key and a request become an activation or a refusal', () => {
  test('each request is one activation, and the answer counts', async () => {
    const minted = await till.mint({ activations: 2 })
    const counts = (answer: Response) =>
      ['limit', 'used', 'remaining'].map((name) => answer.headers.get(`till-activations-${name}`))
    expect(counts(await call(minted))).toEqual(['2', '1', '1'])
    expect(counts(await call(minted))).toEqual(['2', '2', '0'])
    const refusedAnswer = await call(minted)
    expect(refusedAnswer.status).toBe(410)
    expect(refusedAnswer.headers.get('till-error')).toBe('activations_exhausted')
    expect(till.provider.received).toHaveLength(2)
  })

  test.each([
    ['a route outside the scope', 'scope_denied', 403, '/v1/organization/admin_api_keys', { model: 'gpt-5-mini' }],
    ['a model outside the scope', 'scope_denied', 403, '/v1/responses', { model: 'o9' }],
    ['a body with no model', 'request_refused', 400, '/v1/responses', {}],
  ])('%s is %s and costs nothing', async (_what, code, status, path, body) => {
    const minted = await till.mint()
    const answer = await call(minted, { path, body })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('till-error')).toBe(code)
    expect(till.provider.received).toEqual([])
    expect((await till.receipt(minted)).receipt.activations).toMatchObject({ used: 0, refused: { [code]: 1 } })
  })

  test('a free route costs nothing and reaches the provider', async () => {
    const minted = await till.mint()
    const answer = await till.fetch('/proxy/openai/v1/models', { headers: { authorization: `Bearer ${minted.key}` } })
    expect(answer.status).toBe(200)
    expect((await till.receipt(minted)).receipt.activations.used).toBe(0)
  })
})

describe('6. an activation becomes a streamed answer', () => {
  test('the bytes of each event arrive as they were sent, before the next is sent', async () => {
    const minted = await till.mint()
    const gates = Array.from({ length: 64 }, () => Promise.withResolvers<void>())
    till.provider.next({ gap: (event) => gates[event]!.promise })
    const answering = call(minted, { body: { model: 'gpt-5-mini', stream: true } })
    gates[0]!.resolve()
    const answer = await answering
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    let text = ''
    let event = 0
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      // Only what the provider has sent can have come; the next event is sent when the last has come whole.
      expect(till.provider.received[0]!.answered.join('').startsWith(text)).toBe(true)
      if (text === till.provider.received[0]!.answered.join('')) gates[++event]!.resolve()
    }
    expect(text).toBe(till.provider.received[0]!.answered.join(''))
    expect(event).toBe(till.provider.received[0]!.answered.length)
  })

  test('the provider gets the request as it was, with its own credential and without the key', async () => {
    const minted = await till.mint()
    const body = { model: 'gpt-5-mini', input: 'éß☃', stream: false }
    await call(minted, { path: '/v1/responses?include=usage', body })
    const [received] = till.provider.received
    expect(received).toMatchObject({ target: '/v1/responses?include=usage', credential: 'openai' })
    expect(received!.body).toBe(JSON.stringify(body))
    expect(JSON.stringify(received)).not.toContain(minted.key)
  })

  test('a credential that the provider echoes does not reach the job', async () => {
    const minted = await till.mint()
    till.provider.next({ echo: true })
    const answer = await call(minted)
    const seen = JSON.stringify([...answer.headers]) + (await answer.text())
    expect(till.provider.received[0]!.answered.join('')).toContain(till.provider.credentials.openai)
    expect(seen).not.toContain(till.provider.credentials.openai)
  })
})

describe('7 and 8. every step becomes an audit event, the events a receipt, the receipt words', () => {
  test('the chain tells the job from mint to end; adding it up is the receipt; its signature verifies', async () => {
    const own = await startTill({ issuer: till.issuer, provider: till.provider })
    try {
      const minted = await own.mint({ activations: 2 })
      const authorization = { authorization: `Bearer ${minted.key}`, 'content-type': 'application/json' }
      const send = async (path: string) =>
        (await own.fetch(path, { method: 'POST', headers: authorization, body: '{"model":"gpt-5-mini"}' })).text()
      await send('/proxy/openai/v1/responses')
      await send('/proxy/openai/v1/responses')
      await send('/proxy/openai/v1/responses')
      const { receipt, jws } = await own.revoke(minted)

      const keys = createRemoteJWKSet(new URL(`${own.url}/.well-known/jwks.json`))
      const verified = await jwtVerify(jws, keys, { algorithms: ['EdDSA', 'Ed25519'] })
      expect(verified.payload).toMatchObject(JSON.parse(JSON.stringify(receipt)))

      const ledger = await openSqliteLedger({ path: own.database })
      const types: string[] = []
      const sum = receiptOf()
      let prev = FIRST_PREV
      for await (const { event, hash } of ledger.events(minted.id)) {
        expect(event).toMatchObject({ seq: types.length + 1, prev })
        expect(hash).toBe(Buffer.from(digest(eventText(event))).toString('hex'))
        prev = hash
        types.push(event.type)
        sum.add(event, hash)
      }
      await ledger.close()
      expect(types[0]).toBe('key.minted')
      expect(types.at(-1)).toBe('key.ended')
      expect(types.toSorted()).toEqual(
        [
          'key.minted',
          'activation',
          'request.finished',
          'activation',
          'request.finished',
          'request.refused',
          'key.ended',
        ].toSorted(),
      )
      expect(sum.receipt()).toEqual(receipt)

      expect(receipt).toMatchObject({
        activations: { limit: 2, used: 2, refused: { activations_exhausted: 1 } },
        end_reason: 'exhausted',
        models: { 'gpt-5-mini': 2 },
        usage: { input_tokens: 22, output_tokens: 14 },
      })
      const words = receiptMarkdown(receipt)
      expect(words).toContain('2 of 2')
      expect(words).toContain(minted.id)
      expect(words).toContain('POST /v1/responses')
    } finally {
      await own.close()
    }
  })
})

const refused = (status: number, code: string) => ({ status, problem: { code } })

async function mintWith(token: string): Promise<object> {
  const answer = await till.fetch('/v1/keys', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ providers: ['openai'] }),
  })
  return { status: answer.status, ...((await answer.json()) as object) }
}

async function failure(minting: Promise<MintAnswer>): Promise<MintFailed> {
  const outcome = await minting.catch((error: unknown) => error)
  if (!(outcome instanceof MintFailed)) expect.fail('the broker minted a key')
  return outcome
}

function call(
  minted: MintAnswer,
  { path = '/v1/responses', body = { model: 'gpt-5-mini' } }: { path?: string; body?: object } = {},
): Promise<Response> {
  return till.fetch(`/proxy/openai${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${minted.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}
