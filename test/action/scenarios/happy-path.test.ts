import { expect, test } from 'vitest'
import { json, KEY, KEY_ID, minted } from '#test/support/fake-broker.ts'
import { job } from './job.ts'

test('main masks the key and its forms before anything holds it, and prints one line', async () => {
  const { step } = await job()
  const { exitCode, log, raw } = await step.main()
  expect(exitCode).toBe(0)
  const key = Buffer.from(KEY)
  for (const form of [KEY, key.toString('hex'), key.toString('base64url'), key.toString('base64')])
    expect(step.masks).toContain(form)
  expect(log).toMatch(
    /^Minted key k_\w{22} under policy "review": 25 activations, expires at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.$/,
  )
  expect(raw.replaceAll(`::add-mask::${KEY}\n`, '')).not.toContain(KEY)
})

test('main masks both tokens that it used', async () => {
  const { broker, step } = await job()
  await step.main()
  const bearers = broker.requests.flatMap(({ headers }) => headers.authorization?.slice('Bearer '.length) ?? [])
  expect(bearers).toHaveLength(2)
  for (const bearer of bearers) expect(step.masks).toContain(bearer)
})

test('main gives key, id, base URLs, activations and expiry as outputs', async () => {
  const { broker, step } = await job({
    inputs: { provider: 'openai, anthropic' },
    answers: {
      'POST /v1/keys': (_request, response, url) =>
        json(
          response,
          201,
          minted(url, {
            providers: {
              anthropic: { base_url: `${url}/proxy/anthropic` },
              openai: { base_url: `${url}/proxy/openai/v1` },
            },
            expires_at: 1_795_190_400,
          }),
        ),
    },
  })
  await step.main()
  expect(step.outputs).toEqual({
    key: KEY,
    'key-id': KEY_ID,
    'base-url': `${broker.url}/proxy/openai/v1`,
    'base-urls': JSON.stringify({
      openai: `${broker.url}/proxy/openai/v1`,
      anthropic: `${broker.url}/proxy/anthropic`,
    }),
    activations: '25',
    'expires-at': '2026-11-20T16:00:00Z',
  })
  expect(step.env).toEqual({
    OPENAI_API_KEY: KEY,
    OPENAI_BASE_URL: `${broker.url}/proxy/openai/v1`,
    ANTHROPIC_API_KEY: KEY,
    ANTHROPIC_BASE_URL: `${broker.url}/proxy/anthropic`,
  })
})

test('main asks for what the inputs say and for nothing else', async () => {
  const { broker, step } = await job({
    inputs: {
      activations: '5',
      policy: 'review',
      'expires-in': '30m',
      routes: 'POST /v1/responses\n\n  GET   /v1/models/*  \n',
      models: 'gpt-5-mini, gpt-5-*\ngpt-4',
    },
    answers: { 'POST /v1/keys': (_, response, url) => json(response, 201, minted(url, { activations: 5 })) },
  })
  expect((await step.main()).exitCode).toBe(0)
  const mint = broker.requests.find(({ what }) => what === 'POST /v1/keys')!
  expect(JSON.parse(mint.body)).toEqual({
    providers: ['openai'],
    policy: 'review',
    activations: 5,
    expires_in: 1800,
    routes: ['POST /v1/responses', 'GET /v1/models/*'],
    models: ['gpt-5-mini', 'gpt-5-*', 'gpt-4'],
  })
  expect(mint.headers['idempotency-key']).toMatch(/^[\x21-\x7e]{16,128}$/)
})

test('nothing of the key is in the state that post gets', async () => {
  const { step } = await job()
  await step.main()
  expect(step.state['key-id']).toBe(KEY_ID)
  expect(JSON.stringify(step.state)).not.toContain(KEY.slice(5, 17))
})

test('with export-env false no variable is set', async () => {
  const { step } = await job({ inputs: { 'export-env': 'false', agent: 'claude-code' } })
  await step.main()
  expect(step.env).toEqual({})
  expect(step.outputs['key']).toBe(KEY)
})

test('post revokes with a fresh ID token and writes the receipt to the summary', async () => {
  const { broker, step } = await job()
  await step.main()
  const { exitCode, log, annotations } = await step.post()
  expect(exitCode).toBe(0)
  expect(annotations).toEqual([])
  expect(log).toContain('5 of 25 activations used')
  expect(step.summary).toContain('5 of 25 activations used')
  const [mint, revoke] = ['POST', 'DELETE'].map(
    (method) => broker.requests.find(({ what }) => what.startsWith(method))!.headers.authorization,
  )
  expect(revoke).toMatch(/^Bearer e30\./)
  expect(revoke).not.toBe(mint)
})

test('post writes no summary when summary is false', async () => {
  const { step } = await job({ inputs: { summary: 'false' } })
  await step.main()
  await step.post()
  expect(step.summary).toBe('')
})

test('post asks the broker that main asked, whatever its inputs have become', async () => {
  const { broker, step } = await job()
  await step.main()
  Object.assign(step.env, { INPUT_BROKER: 'http://127.0.0.1:9', INPUT_AUDIENCE: 'https://elsewhere.example' })
  await step.post()
  const revoke = broker.requests.find(({ what }) => what.startsWith('DELETE'))!
  const [, claims] = revoke.headers.authorization!.split('.')
  expect(JSON.parse(Buffer.from(claims!, 'base64url').toString()).aud).toBe(broker.url)
})
