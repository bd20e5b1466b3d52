import { spawn } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ActionStep, actionStep } from '#test/support/run-action.ts'
import { startTill, type Till } from '#test/support/start-till.ts'

/** The whole line in one job: the built action, the broker, two providers, post, receipt. */
let till: Till
let step: ActionStep | undefined
beforeAll(async () => {
  till = await startTill()
})
afterAll(async () => {
  step?.remove()
  await till?.close()
})

test('a job gets a key, spends it over two providers, is refused, and loses it; the summary accounts for it', async () => {
  const job = till.issuer.job({ event_name: 'pull_request', ref: 'refs/pull/7/merge' })
  const inputs = { broker: till.url, provider: 'openai anthropic', activations: '2' }
  step = actionStep({ inputs, env: job.environment })

  const main = await step.main()
  expect(main).toMatchObject({ exitCode: 0, annotations: [] })
  expect(main.log).toContain(step.outputs['key-id'])
  expect(step.state).not.toContain(step.outputs['key'])

  const { OPENAI_BASE_URL, OPENAI_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY } = step.env
  const openai = () =>
    fetch(`${OPENAI_BASE_URL}/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPENAI_API_KEY}`, 'content-type': 'application/json' },
      body: '{"model":"gpt-5-mini","input":"hi","stream":true}',
    })
  const anthropic = () =>
    fetch(`${ANTHROPIC_BASE_URL}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': ANTHROPIC_API_KEY!, 'content-type': 'application/json' },
      body: '{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}',
    })

  expect(await (await openai()).text()).toBe(till.provider.received[0]!.answered.join(''))
  expect(await (await anthropic()).text()).toBe(till.provider.received[1]!.answered.join(''))
  expect(till.provider.received.map(({ credential }) => credential)).toEqual(['openai', 'anthropic'])
  for (const refused of [await openai(), await anthropic()]) {
    expect(refused.status).toBe(410)
    expect(refused.headers.get('till-error')).toBe('activations_exhausted')
  }

  const post = await step.post()
  expect(post).toMatchObject({ exitCode: 0, annotations: [] })
  expect(step.summary).toContain('2 of 2 activations used · 2 refused')
  expect(step.summary).toContain('22 in, 14 out')
  expect((await openai()).status).toBe(410)
  expect(till.provider.received).toHaveLength(2)
})

test('npm run demo: every claim of the demo holds', async () => {
  const demo = spawn(process.execPath, ['demo/demo.ts'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [demo.stdout, demo.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const exitCode = await new Promise((resolve) => demo.once('close', resolve))
  expect(output).toMatch(/All \d+ claims held\.\n$/)
  expect(exitCode).toBe(0)
})
