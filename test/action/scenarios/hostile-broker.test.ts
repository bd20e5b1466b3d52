import { expect, test } from 'vitest'
import { type Answerer, accounted, json, KEY, KEY_ID, minted, problemOf, RECEIPT } from '#test/support/fake-broker.ts'
import { job } from './job.ts'

// T50, T51, T53: whatever a broker answers, the runner gets no command from it, and the job gets nothing but a key.

/** Text that is a command to a runner, a terminal, or a reader's eyes, if it is printed as it comes. */
const TEXTS = {
  'a command': '::set-output name=key::x',
  'a command on a second line': 'x\n::add-path::/tmp/evil',
  'a command after a carriage return': 'x\r::stop-commands::x',
  'a command after the escaped line feed': 'x%0A::error::y',
  'a command of the older form': 'x ##[add-mask]a',
  'a command around a control character': 'x #\u0000#[error]y',
  'terminal escapes': '\u001b[2J\u001b]0;x\u0007',
  'C1 control characters': '\u009b2J',
  'a bidirectional override': 'a\u202eb',
  'a line separator': 'a\u2028::error::b',
  'a lone surrogate': 'a\ud800b',
  'five thousand characters': 'x'.repeat(5000),
} as const

/** Whether a process printed anything that its broker could not be let say. The fake runner fails on any other command. */
function expectHarmless(raw: string) {
  const lines = raw.split('\n').filter((line) => !line.startsWith('::add-mask::'))
  for (const line of lines) {
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
    expect(line.replace(/^::(error|warning)::/, '')).not.toMatch(/::|##\[/)
    expect(line.length).toBeLessThan(1500)
  }
}

async function attacked(answers: Readonly<Record<string, Answerer>>) {
  const { broker, step } = await job({ answers })
  const main = await step.main()
  expectHarmless(main.raw)
  expect(main.exitCode).toBe(1)
  expect(step.outputs).toEqual({})
  expect(step.env).toEqual({})
  return { broker, step, message: main.annotations[0]!.message }
}

test.each(Object.entries(TEXTS))('%s in a problem is printed as harmless text, cut to a length', async (_, text) => {
  await attacked({
    'POST /v1/keys': (_request, response) =>
      json(response, 403, { ...problemOf('policy_denied', 403, text), title: text, type: text }),
  })
})

test.each(Object.entries(TEXTS))('%s in the published audience is printed as harmless text', async (_, text) => {
  await attacked({
    'GET /.well-known/till': (_request, response, url) =>
      json(response, 200, { audience: text.replaceAll(/\s/g, ''), version: '1', jwks_uri: url, mint_endpoint: url }),
    'POST /v1/keys': (_request, response) => json(response, 403, problemOf('policy_denied', 403, text)),
  })
})

test('an answer that gives a URL of another origin hands nothing over', async () => {
  const { message } = await attacked({
    'POST /v1/keys': (_, response, url) =>
      json(response, 201, minted(url, { providers: { openai: { base_url: 'https://evil.example/v1' } } })),
  })
  expect(message).toContain('does not answer as a broker of Till does')
})

test('an answer whose key holds a line feed hands nothing over', async () => {
  const { message } = await attacked({
    'POST /v1/keys': (_, response, url) => json(response, 201, minted(url, { key: `${KEY}\n::add-path::x` })),
  })
  expect(message).toContain('key: expected a key')
})

test('names of variables come from our own table, whatever providers the answer adds', async () => {
  const { broker, step } = await job({
    answers: {
      'POST /v1/keys': (_, response, url) =>
        json(
          response,
          201,
          minted(url, {
            providers: { openai: { base_url: `${url}/v1` }, 'node-options': { base_url: `${url}/x` } },
          }),
        ),
    },
  })
  await step.main()
  expect(step.env).toEqual({ OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${broker.url}/v1` })
  expect(step.outputs['base-urls']).toBe(JSON.stringify({ openai: `${broker.url}/v1` }))
})

const hostileReceipts: [string, unknown][] = [
  ['another key', accounted({ key_id: 'k_ZZZZZZZZZZZZZZZZZZZZZZ' })],
  ['a count as text', accounted({ activations: { ...RECEIPT.activations, used: '::error::x' as never } })],
  ['a refusal code with a command', accounted({ activations: { ...RECEIPT.activations, refused: { 'x::y': 1 } } })],
  ['a line feed in the ref', accounted({ job: { ...RECEIPT.job, ref: 'x\n::error::y' } })],
  ['a jws with Markdown', { receipt: RECEIPT, jws: '```\n# Passed', comment_by: 'action' }],
  ['an unknown end', accounted({ end_reason: '::error::' as never })],
  ['nothing', null],
]

test.each(hostileReceipts)('a receipt with %s counts for nothing: the key is said to be unrevoked', async (_, body) => {
  const { step } = await job({
    answers: {
      [`DELETE /v1/keys/${KEY_ID}`]: (_request, response) => json(response, 200, body),
      [`GET /v1/keys/${KEY_ID}/receipt`]: (_request, response) => json(response, 200, body),
    },
  })
  await step.main()
  const { raw, exitCode, annotations } = await step.post()
  expectHarmless(raw)
  expect(exitCode).toBe(0)
  expect(annotations.map(({ level }) => level)).toEqual(['warning'])
  expect(step.summary).toBe('')
})

test('names that a job chose stay text in the summary', async () => {
  const model = '</details><img src=x> | [x](https://evil.example) @everyone `x`'
  const { step } = await job({
    answers: {
      [`DELETE /v1/keys/${KEY_ID}`]: (_, response) => json(response, 200, accounted({ models: { [model]: 1 } })),
    },
  })
  await step.main()
  expectHarmless((await step.post()).raw)
  expect(step.summary).not.toContain('</details><img')
})
