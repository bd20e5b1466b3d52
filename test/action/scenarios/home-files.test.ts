import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { type Answerer, json, minted } from '#test/support/fake-broker.ts'
import type { ActionStep, StepOptions } from '#test/support/run-action.ts'
import { job } from './job.ts'

const CODEX = '.codex/config.toml'
const GEMINI = '.gemini/settings.json'
const TOML = 'model_provider = "azure"\n\n[model_providers.azure]\nbase_url = "https://azure.example"\n'
const SETTINGS = '{\n  // mine\n  "security": {"auth": {"selectedType": "oauth"}}\n}\n'
const BOTH = { provider: 'openai gemini', agent: 'codex gemini-cli' }

const read = (step: ActionStep, path: string) => readFileSync(join(step.home, path), 'utf8')

/** A step that sets up both agents, with a key of its own: `id`. */
function agentStep(id: string, options: Omit<StepOptions, 'inputs'> & { readonly onMint?: () => void } = {}) {
  const { onMint, ...others } = options
  const mintAnswer: Answerer = (_, response, url) => {
    onMint?.()
    const providers = Object.fromEntries(
      ['openai', 'gemini'].map((name) => [name, { base_url: `${url}/proxy/${name}` }]),
    )
    json(response, 201, minted(url, { id, providers }))
  }
  return job({ inputs: BOTH, ...others, answers: { 'POST /v1/keys': mintAnswer } })
}

/** Two steps, in one job or in two, on one home folder. */
async function twoSteps(files: Record<string, string>) {
  const a = await agentStep('k_aaaa', { files })
  const b = await agentStep('k_bbbb', { env: { ...a.broker.environment, HOME: a.step.home } })
  return { a, b, home: a.step }
}

function kinds(path: string): Record<string, () => void> {
  return {
    'a directory': () => mkdirSync(path),
    'a pipe': () => execFileSync('mkfifo', [path]),
    'a large file': () => writeFileSync(path, '#'.repeat(1024 * 1024 + 1)),
    'a link to nothing': () => symlinkSync('../nothing', path),
    'in a folder that is a file': () => {
      rmSync(dirname(path), { recursive: true })
      writeFileSync(dirname(path), '')
    },
    'in a folder that is a link to nothing': () => {
      rmSync(dirname(path), { recursive: true })
      symlinkSync('nothing', dirname(path))
    },
  }
}

test.each(Object.keys(kinds('')))('a file that is %s is refused before there is a key, and stays', async (kind) => {
  const { broker, step } = await agentStep('k_aaaa', { files: { [CODEX]: TOML } })
  rmSync(join(step.home, CODEX))
  kinds(join(step.home, CODEX))[kind]!()
  const { exitCode, annotations, milliseconds } = await step.main()
  expect(exitCode).toBe(1)
  expect(annotations[0]!.message).toMatch(/^Cannot set up the agent codex: ~\/\.codex\/config\.toml cannot be kept \(/)
  expect(milliseconds).toBeLessThan(10_000)
  expect(broker.requests).toEqual([])
  await step.post()
  expect(existsSync(join(step.home, 'nothing'))).toBe(false)
})

test.each(['a directory', 'a pipe', 'a large file', 'a link to nothing'])(
  'post warns of a file that became %s, and puts the other one back',
  async (kind) => {
    const { step } = await agentStep('k_aaaa', { files: { [CODEX]: TOML, [GEMINI]: SETTINGS } })
    await step.main()
    rmSync(join(step.home, CODEX))
    kinds(join(step.home, CODEX))[kind]!()
    const { annotations, milliseconds } = await step.post()
    expect(annotations.map(({ level, message }) => `${level}: ${message}`)).toContainEqual(
      expect.stringMatching(/^warning: Cannot put .*\/\.codex\/config\.toml back: /),
    )
    expect(milliseconds).toBeLessThan(10_000)
    expect(read(step, GEMINI)).toBe(SETTINGS)
  },
)

test('what the agent adds meanwhile stays, and what the step added goes', async () => {
  const { step } = await agentStep('k_aaaa', { files: { [CODEX]: TOML, [GEMINI]: SETTINGS } })
  await step.main()
  const trusted = '\n[projects."/work"]\ntrust_level = "trusted"\n'
  appendFileSync(join(step.home, CODEX), trusted)
  const settings = JSON.parse(read(step, GEMINI).replace('// mine', ''))
  writeFileSync(join(step.home, GEMINI), JSON.stringify({ ...settings, ui: { theme: 'GitHub' } }))
  await step.post()
  expect(read(step, CODEX)).toBe(TOML + trusted)
  expect(JSON.parse(read(step, GEMINI))).toEqual({
    security: { auth: { selectedType: 'oauth' } },
    ui: { theme: 'GitHub' },
  })
})

test("the job after one whose runner died puts the user's files back", async () => {
  const { a, b, home } = await twoSteps({ [CODEX]: TOML, [GEMINI]: SETTINGS })
  await a.step.main()
  rmSync(join(home.home, '../_temp'), { recursive: true })
  await b.step.main()
  expect(read(home, CODEX)).not.toContain(a.broker.url)
  await b.step.post()
  expect(read(home, CODEX)).toBe(TOML)
  expect(read(home, GEMINI)).toBe(SETTINGS)
})

test.each([
  ['in the order in which they came', (a: ActionStep, b: ActionStep) => [a, b]],
  ['in the reverse order', (a: ActionStep, b: ActionStep) => [b, a]],
])('of two jobs on one home the last one puts the files back, %s', async (_, order) => {
  const { a, b, home } = await twoSteps({ [CODEX]: TOML, [GEMINI]: SETTINGS })
  await a.step.main()
  await b.step.main()
  const [first, last] = order(a.step, b.step)
  const { log } = await first!.post()
  expect(log).toContain(`${CODEX} as it is: another job uses it, and puts it back.`)
  const url = first === a.step ? b.broker.url : a.broker.url
  expect(read(home, CODEX)).toContain(`base_url = "${url}/proxy/openai"\n`)
  expect(read(home, GEMINI)).toContain('"gemini-api-key"')
  await last!.post()
  expect(read(home, CODEX)).toBe(TOML)
  expect(read(home, GEMINI)).toBe(SETTINGS)
})

test('of two jobs on one home without files the last one removes them', async () => {
  const { a, b, home } = await twoSteps({})
  await a.step.main()
  await b.step.main()
  await a.step.post()
  expect(existsSync(join(home.home, CODEX))).toBe(true)
  await b.step.post()
  expect(readdirSync(home.home)).toEqual([])
})

test('a link stays a link, and what it leads to is put back', async () => {
  const { step } = await agentStep('k_aaaa', { files: { 'dotfiles/config.toml': TOML } })
  mkdirSync(join(step.home, '.codex'))
  symlinkSync('../dotfiles/config.toml', join(step.home, CODEX))
  await step.main()
  expect(read(step, 'dotfiles/config.toml')).toContain('[model_providers.till]')
  await step.post()
  expect(lstatSync(join(step.home, CODEX)).isSymbolicLink()).toBe(true)
  expect(read(step, 'dotfiles/config.toml')).toBe(TOML)
  expect(readdirSync(join(step.home, 'dotfiles'))).toEqual(['config.toml'])
})

test('where a file cannot be written once there is a key, main says so, and post puts the first one back and revokes', async () => {
  let spoil = () => {}
  const { broker, step } = await agentStep('k_aaaa', { files: { [CODEX]: TOML }, onMint: () => spoil() })
  spoil = () => writeFileSync(join(step.home, '.gemini'), 'a file, not a folder')
  const { exitCode, annotations } = await step.main()
  expect(exitCode).toBe(1)
  expect(annotations.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^Cannot set up the agent gemini-cli: ~\/\.gemini\/settings\.json cannot be written \(/),
  ])
  await step.post()
  expect(read(step, CODEX)).toBe(TOML)
  expect(broker.asked.some((what) => what.startsWith('DELETE'))).toBe(true)
})
