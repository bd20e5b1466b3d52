import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { json, KEY, minted } from '#test/support/fake-broker.ts'
import type { ActionStep } from '#test/support/run-action.ts'
import { job } from './job.ts'

const CODEX = '.codex/config.toml'
const GEMINI = '.gemini/settings.json'

const read = (step: ActionStep, path: string) => readFileSync(join(step.home, path), 'utf8')
const exists = (step: ActionStep, path: string) => existsSync(join(step.home, path))

/** A broker that gives whatever providers the step asks for. */
function agentJob(inputs: Record<string, string>, files: Record<string, string> = {}) {
  return job({
    inputs,
    files,
    answers: {
      'POST /v1/keys': (_, response, url) =>
        json(
          response,
          201,
          minted(url, {
            providers: {
              openai: { base_url: `${url}/proxy/openai/v1` },
              anthropic: { base_url: `${url}/proxy/anthropic` },
              gemini: { base_url: `${url}/proxy/gemini` },
            },
          }),
        ),
    },
  })
}

test('claude-code is kept from calling other hosts', async () => {
  const { step } = await agentJob({ provider: 'anthropic', agent: 'claude-code' })
  await step.main()
  expect(step.env['CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC']).toBe('1')
})

test("opencode's base URL of Anthropic ends in /v1", async () => {
  const { broker, step } = await agentJob({ provider: 'anthropic', agent: 'opencode' })
  await step.main()
  expect(step.env['ANTHROPIC_BASE_URL']).toBe(`${broker.url}/proxy/anthropic/v1`)
})

test('copilot gets base URL, key and the model that models names', async () => {
  const { broker, step } = await agentJob({ provider: 'openai', agent: 'copilot', models: 'gpt-5-mini' })
  await step.main()
  expect(step.env).toMatchObject({
    COPILOT_PROVIDER_TYPE: 'openai',
    COPILOT_PROVIDER_BASE_URL: `${broker.url}/proxy/openai/v1`,
    COPILOT_PROVIDER_API_KEY: KEY,
    COPILOT_MODEL: 'gpt-5-mini',
  })
})

test('copilot speaks to Anthropic where that is the provider, and has no model where models names none', async () => {
  const { broker, step } = await agentJob({ provider: 'anthropic', agent: 'copilot', models: 'claude-*' })
  await step.main()
  expect(step.env).toMatchObject({
    COPILOT_PROVIDER_TYPE: 'anthropic',
    COPILOT_PROVIDER_BASE_URL: `${broker.url}/proxy/anthropic`,
  })
  expect(step.env).not.toHaveProperty('COPILOT_MODEL')
})

test('qwen-code gets the model that models names', async () => {
  const { step } = await agentJob({ provider: 'openai', agent: 'qwen-code', models: 'qwen3-*, qwen3-coder' })
  await step.main()
  expect(step.env['OPENAI_MODEL']).toBe('qwen3-coder')
})

test('codex gets a provider in its configuration, without the key, which post removes with its folder', async () => {
  const { broker, step } = await agentJob({ provider: 'openai', agent: 'codex' })
  await step.main()
  expect(read(step, CODEX)).toMatch(/^#till .*\n/)
  expect(read(step, CODEX).replace(/^.*\n/, '')).toBe(`model_provider = "till"

[model_providers.till]
name = "Till"
base_url = "${broker.url}/proxy/openai/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
supports_websockets = false
`)
  expect(read(step, CODEX)).not.toContain(KEY)
  expect(statSync(join(step.home, CODEX)).mode & 0o777).toBe(0o600)
  await step.post()
  expect(exists(step, '.codex')).toBe(false)
})

test("gemini-cli's settings name the way to log in, which post removes with their folder", async () => {
  const { step } = await agentJob({ provider: 'gemini', agent: 'gemini-cli' })
  await step.main()
  expect(JSON.parse(read(step, GEMINI))).toMatchObject({ security: { auth: { selectedType: 'gemini-api-key' } } })
  expect(step.env['GEMINI_CLI_TRUST_WORKSPACE']).toBe('true')
  await step.post()
  expect(exists(step, '.gemini')).toBe(false)
})

const toml = '# mine\r\nmodel = "gpt-5"\nmodel_provider = "azure"\n\n[mcp_servers.x]\ncommand = "y" # no newline'
const settings = '{\n  // mine\n  "theme": "GitHub", "security": {"auth": {"selectedType": "oauth"}, "x": 1}}'

test('what stands in the files is kept meanwhile, and put back byte for byte', async () => {
  const { step } = await agentJob(
    { provider: 'openai gemini', agent: 'codex gemini-cli' },
    { [CODEX]: toml, [GEMINI]: settings },
  )
  chmodSync(join(step.home, CODEX), 0o640)
  await step.main()
  expect(read(step, CODEX)).toContain('[mcp_servers.x]\ncommand = "y" # no newline\n[model_providers.till]')
  expect(read(step, CODEX)).toContain('# mine\r\nmodel = "gpt-5"\n')
  expect(read(step, CODEX)).toContain('\n#till- model_provider = "azure"\n')
  expect(read(step, GEMINI)).toContain('\n  // mine\n')
  expect(JSON.parse(read(step, GEMINI).replace('// mine', ''))).toMatchObject({
    theme: 'GitHub',
    security: { auth: { selectedType: 'gemini-api-key' }, x: 1 },
  })
  await step.post()
  expect(read(step, CODEX)).toBe(toml)
  expect(read(step, GEMINI)).toBe(settings)
  expect(statSync(join(step.home, CODEX)).mode & 0o777).toBe(0o640)
})

test('bytes that are not UTF-8 are put back as they were', async () => {
  const { step } = await agentJob({ provider: 'openai', agent: 'codex' }, { [CODEX]: '' })
  const bytes = Buffer.from([0x23, 0xff, 0xfe, 0x0a])
  writeFileSync(join(step.home, CODEX), bytes)
  await step.main()
  await step.post()
  expect(readFileSync(join(step.home, CODEX))).toEqual(bytes)
})

test('a file without what the step added is left as it is, and post says so', async () => {
  const { step } = await agentJob({ provider: 'openai', agent: 'codex' }, { [CODEX]: toml })
  await step.main()
  writeFileSync(join(step.home, CODEX), 'mine = true\n')
  const { log, exitCode } = await step.post()
  expect(exitCode).toBe(0)
  expect(log).toContain(`${CODEX} as it is: what this step added is not in it any more.`)
  expect(read(step, CODEX)).toBe('mine = true\n')
})

test('files are put back although the key cannot be revoked', async () => {
  const { step } = await agentJob({ provider: 'openai', agent: 'codex' }, { [CODEX]: toml })
  await step.main()
  Object.assign(step.state, { broker: 'http://127.0.0.1:9' })
  await step.post()
  expect(read(step, CODEX)).toBe(toml)
})

test('a file that cannot be put back keeps no key alive, and no other file as it is', async () => {
  const { broker, step } = await agentJob(
    { provider: 'openai gemini', agent: 'codex gemini-cli' },
    { [GEMINI]: settings },
  )
  await step.main()
  rmSync(join(step.home, CODEX))
  mkdirSync(join(step.home, CODEX))
  const { annotations, exitCode } = await step.post()
  expect(exitCode).toBe(0)
  expect(broker.asked.some((what) => what.startsWith('DELETE'))).toBe(true)
  expect(step.summary).toContain('5 of 25 activations used')
  expect(annotations).toEqual([{ level: 'warning', message: expect.stringContaining(CODEX) }])
  expect(read(step, GEMINI)).toBe(settings)
})

test('a file that lets post wait for ever is looked at when the key is over and the receipt is written', async () => {
  const { broker, step } = await agentJob({ provider: 'openai', agent: 'codex' })
  await step.main()
  rmSync(join(step.home, CODEX))
  execFileSync('mkfifo', [join(step.home, CODEX)])
  await step.post({ cancelled: sleep(3000) })
  expect(broker.asked.some((what) => what.startsWith('DELETE'))).toBe(true)
  expect(step.summary).toContain('5 of 25 activations used')
})

test("what the files hold is not in post's state, which the runner prints when it debugs", async () => {
  const secret = 'sk-mine-0123456789'
  const { step } = await agentJob({ provider: 'openai', agent: 'codex' }, { [CODEX]: `x = "${secret}"\n` })
  await step.main()
  const state = Object.values(step.state).join('\n')
  expect(state).not.toContain(secret)
  expect(state).not.toContain(Buffer.from(secret).toString('base64').slice(0, 16))
})

test.each([
  ['codex', 'openai', CODEX, 'model_providers = { azure = {} }\n'],
  ['codex', 'openai', CODEX, 'this is not TOML\n'],
  ['gemini-cli', 'gemini', GEMINI, '{"security": "none"}'],
  ['gemini-cli', 'gemini', GEMINI, '{"security": '],
])('%s: a file that cannot be kept costs no key and stays (%s, %s)', async (agent, provider, path, text) => {
  const { broker, step } = await agentJob({ provider, agent }, { [path]: text })
  const { exitCode, annotations } = await step.main()
  expect(exitCode).toBe(1)
  expect(annotations[0]!.message).toContain(`Cannot set up the agent ${agent}: ~/${path}`)
  expect(broker.requests).toEqual([])
  expect(read(step, path)).toBe(text)
})

test('an agent whose provider is not asked for is refused before there is a key', async () => {
  const { broker, step } = await agentJob({ provider: 'anthropic', agent: 'codex' })
  expect((await step.main()).annotations[0]!.message).toBe(
    'Cannot set up the agent codex: it needs openai in the input provider.',
  )
  expect(broker.requests).toEqual([])
})
