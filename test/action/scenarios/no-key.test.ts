import { expect, test } from 'vitest'
import { type Answerer, json, minted, problemOf } from '#test/support/fake-broker.ts'
import { job } from './job.ts'

/** A job that gets no key: main fails with one annotation, hands over nothing, and post says that it did nothing. */
async function refused(options: Parameters<typeof job>[0]) {
  const { broker, step } = await job(options)
  const { exitCode, annotations } = await step.main()
  expect(exitCode).toBe(1)
  expect(annotations).toHaveLength(1)
  expect(step.outputs).toEqual({})
  expect(step.env).toEqual({})
  expect(step.state['key-id']).toBeUndefined()
  const post = await step.post()
  expect(post.exitCode).toBe(0)
  expect(post.annotations).toEqual([])
  expect(post.log).toBe('Nothing to revoke: this step minted no key.')
  return { broker, message: annotations[0]!.message }
}

const fork = {
  pull_request: { head: { repo: { full_name: 'mallory/web' } }, base: { repo: { full_name: 'acme/web' } } },
}

test('without id-token: write the job learns which permission to add', async () => {
  const { broker, message } = await refused({ env: {} })
  expect(message).toContain('`permissions: id-token: write`')
  expect(broker.asked).not.toContain('POST /v1/keys')
})

test("a fork's pull request learns that GitHub gives it no ID token", async () => {
  const { message } = await refused({ env: {}, eventName: 'pull_request', event: fork })
  expect(message).toContain('the pull request of a fork')
})

test('a pull request whose fork was deleted is one of a fork', async () => {
  const event = { pull_request: { head: { repo: null }, base: { repo: { full_name: 'acme/web' } } } }
  expect((await refused({ env: {}, eventName: 'pull_request', event })).message).toContain('the pull request of a fork')
})

test('a pull request of the same repository without an ID token lacks the permission', async () => {
  const repo = { full_name: 'acme/web' }
  const event = { pull_request: { head: { repo }, base: { repo } } }
  expect((await refused({ env: {}, eventName: 'pull_request', event })).message).toContain('id-token: write')
})

test('a broker that is down is named, with the reason', async () => {
  const { message } = await refused({ inputs: { broker: 'http://127.0.0.1:9' } })
  expect(message).toContain('http://127.0.0.1:9 did not answer (ECONNREFUSED)')
})

test('a broker that is not at that path is looked for in the input broker', async () => {
  const { message } = await refused({
    answers: {
      'POST /v1/keys': (_, response) =>
        json(response, 404, problemOf('not_found', 404, 'There is nothing at this address.')),
    },
  })
  expect(message).toContain('There is nothing at this address (not_found). Check the input broker')
})

test("a denial carries the broker's reason and its code, and is not repeated", async () => {
  const detail =
    'Cannot mint a key: policy "review" does not allow event_name "pull_request_target". Name the event in the policy.'
  const { broker, message } = await refused({
    answers: {
      'POST /v1/keys': (_, response) => json(response, 403, problemOf('policy_denied', 403, detail)),
    },
  })
  expect(message).toContain(
    'Cannot mint a key: policy "review" does not allow event_name "pull_request_target". Name the event in the policy (policy_denied).',
  )
  expect(broker.asked.filter((what) => what === 'POST /v1/keys')).toHaveLength(1)
})

test('a second mint of the same job learns that the budget is given out', async () => {
  const { message } = await refused({
    answers: {
      'POST /v1/keys': (_, response) =>
        json(response, 409, problemOf('already_minted', 409, 'This job already has a key under policy "review"')),
    },
  })
  expect(message).toContain('(already_minted)')
  expect(message).toContain('use the outputs of the step that minted first')
})

test('an error of a gateway in front of the broker is told by its status', async () => {
  const { message } = await refused({
    answers: { 'POST /v1/keys': (_, response) => response.writeHead(403).end('<html>Forbidden ::error::x') },
  })
  expect(message).toContain('answered with status 403')
  expect(message).not.toContain('Forbidden')
})

test('a broker that publishes another audience gets no ID token', async () => {
  const { broker, message } = await refused({
    answers: {
      'GET /.well-known/till': (_, response, url) =>
        json(response, 200, {
          audience: 'https://sts.amazonaws.com',
          version: '0.1.0',
          jwks_uri: `${url}/.well-known/jwks.json`,
          mint_endpoint: `${url}/v1/keys`,
        }),
    },
  })
  expect(message).toContain('expects tokens for the audience "https://sts.amazonaws.com"')
  expect(broker.asked).not.toContain('POST /v1/keys')
  const asked = broker.requests.filter(({ what }) => what === 'GET /idtoken')
  expect(asked).toHaveLength(1)
})

test("an audience that is not the broker's is to be left out", async () => {
  const { broker, message } = await refused({ inputs: { audience: 'https://elsewhere.example' } })
  expect(message).toContain('and this step has them for "https://elsewhere.example". Leave out the input audience.')
  expect(broker.asked).not.toContain('POST /v1/keys')
})

/** Answers badly at first, and then as it should. */
function once(first: Answerer): Answerer {
  let asked = 0
  return (request, response, url) => (asked++ === 0 ? first(request, response, url) : json(response, 201, minted(url)))
}

test.each<[string, Answerer]>([
  ['lost', (request) => request.socket.destroy()],
  ['408', (_, response) => json(response, 408, problemOf('request_timeout', 408, 'Too slow'))],
  ['429', (_, response) => json(response, 429, problemOf('limit_exceeded', 429, 'Too many'), { 'retry-after': '1' })],
  ['503', (_, response) => json(response, 503, problemOf('storage_unavailable', 503, 'Nothing was minted'))],
])(
  'a mint whose first answer is %s is asked for once more, with the same idempotency key and another ID token',
  async (_, answer) => {
    const { broker, step } = await job({ answers: { 'POST /v1/keys': once(answer) } })
    expect((await step.main()).exitCode).toBe(0)
    const mints = broker.requests.filter(({ what }) => what === 'POST /v1/keys')
    expect(mints).toHaveLength(2)
    expect(mints[0]!.headers['idempotency-key']).toBe(mints[1]!.headers['idempotency-key'])
    expect(mints[0]!.headers.authorization).not.toBe(mints[1]!.headers.authorization)
    expect(mints[0]!.body).toBe(mints[1]!.body)
  },
)

test('a second ID token that cannot be had leaves the first answer as the reason', async () => {
  let tokens = 0
  const { message } = await refused({
    answers: {
      'GET /idtoken': (_, response) =>
        tokens++ === 0 ? json(response, 200, { value: 'e30.e30.c2ln' }) : response.writeHead(403).end(),
      'POST /v1/keys': (_, response) =>
        json(response, 503, problemOf('storage_unavailable', 503, 'Nothing was minted')),
    },
  })
  expect(message).toContain('(storage_unavailable)')
})

test("GitHub's token service may fail twice", async () => {
  let left = 2
  const { step } = await job({
    answers: {
      'GET /idtoken': (_, response) =>
        left-- > 0 ? response.writeHead(503).end() : json(response, 200, { value: 'e30.e30.c2ln' }),
    },
  })
  expect((await step.main()).exitCode).toBe(0)
})

test("GitHub's token service saying no is believed", async () => {
  const { broker, message } = await refused({
    answers: { 'GET /idtoken': (_, response) => response.writeHead(403).end('::error::no') },
  })
  expect(message).toContain('did not give one (status 403)')
  expect(broker.requests.filter(({ what }) => what === 'GET /idtoken')).toHaveLength(1)
})

test('inputs that are wrong are all named, before anything is asked', async () => {
  const { broker, message } = await refused({
    inputs: { broker: 'http://till.example.com', provider: '', agent: 'cursor', 'fail-on': 'spent', comment: 'maybe' },
  })
  for (const name of ['broker', 'provider', 'agent', 'fail-on', 'comment']) expect(message).toContain(name)
  expect(broker.requests).toEqual([])
})
