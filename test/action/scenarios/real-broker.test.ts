import { expect, onTestFinished, test } from 'vitest'
import { actionStep } from '#test/support/run-action.ts'
import { startTill } from '#test/support/start-till.ts'

test('with a real broker: a key that works until the step is over, and its receipt', async () => {
  const till = await startTill()
  const env = till.issuer.job().environment
  const inputs = { broker: till.url, provider: 'openai', activations: '2' }
  const [step, again] = [actionStep({ inputs, env }), actionStep({ inputs, env })]
  onTestFinished(async () => {
    step.remove()
    again.remove()
    await till.close()
  })
  const call = () =>
    fetch(`${step.env['OPENAI_BASE_URL']}/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${step.env['OPENAI_API_KEY']}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-5-mini', input: 'hi' }),
    })

  expect((await step.main()).annotations).toEqual([])
  expect(step.outputs).toMatchObject({ activations: '2', 'base-url': `${till.url}/proxy/openai/v1` })
  expect((await call()).status).toBe(200)

  const second = await again.main()
  expect(second.exitCode).toBe(1)
  expect(second.annotations[0]!.message).toContain('(already_minted)')

  const post = await step.post()
  expect(post.annotations).toEqual([])
  expect(post.log).toContain('1 of 2 activations used')
  expect(step.summary).toContain('1 of 2 activations used')
  expect((await call()).status).toBe(410)
})

test('with a real broker: a denial names the claim and what the token says', async () => {
  const till = await startTill()
  const { environment: env } = till.issuer.job({ event_name: 'pull_request_target' })
  const step = actionStep({ inputs: { broker: till.url, provider: 'openai' }, env })
  onTestFinished(async () => {
    step.remove()
    await till.close()
  })
  const { exitCode, annotations } = await step.main()
  expect(exitCode).toBe(1)
  expect(annotations[0]!.message).toContain('pull_request_target')
  expect(annotations[0]!.message).toContain('(policy_denied)')
})

test.each([
  ['no audience', {}],
  ['the audience that it expects', { audience: 'https://till.example.com' }],
])(
  'with a real broker whose public_url is elsewhere, and %s: nothing is minted, and the job learns which URL to use',
  async (_, inputs) => {
    const till = await startTill({ settings: { public_url: 'https://till.example.com' } })
    const { environment: env } = till.issuer.job()
    const step = actionStep({ inputs: { broker: till.url, provider: 'openai', ...inputs }, env })
    onTestFinished(async () => {
      step.remove()
      await till.close()
    })
    const { exitCode, annotations } = await step.main()
    expect(exitCode).toBe(1)
    expect(annotations[0]!.message).toContain('https://till.example.com')
    expect(annotations[0]!.message).toContain("Use the broker's public_url as `broker`")
    expect(till.log.filter(({ event }) => event === 'key.minted')).toEqual([])
  },
)
