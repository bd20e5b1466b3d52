import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { edit, folder } from './folder.ts'
import { runTill, startTill } from './run-till.ts'

test('from nothing to a broker: init, check, serve, a bad and a good reload, stop', async () => {
  const cwd = folder()
  const file = join(cwd, 'till.yaml')
  const env = { ANTHROPIC_API_KEY: 'sk-ant-real' }

  const init = await runTill(
    ['init', '--public-url', 'https://till.example.com', '--repository-id', '101', '--provider', 'anthropic'],
    { cwd },
  )
  expect(init).toMatchObject({ status: 0, stderr: '' })
  expect(init.stdout).toContain('export ANTHROPIC_API_KEY=')
  expect(statSync(file).mode & 0o777).toBe(0o600)

  expect(await runTill(['check'], { cwd })).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('the environment variable ANTHROPIC_API_KEY is not set'),
  })
  expect(await runTill(['check'], { cwd, env })).toEqual({
    status: 0,
    stdout: 'till.yaml is good: 1 provider, 1 policy, 1 issuer, SQLite, for jobs at https://till.example.com.\n',
    stderr: '',
  })

  edit(file, 'listen: 127.0.0.1:4100', 'listen: 127.0.0.1:0')
  edit(file, 'https://token.actions.githubusercontent.com', 'http://127.0.0.1:9')
  const broker = startTill(['serve'], { cwd, env })
  await broker.until('Till listens on http://127.0.0.1:')

  edit(file, 'activations: 50', 'activations: many')
  edit(file, 'idle_after: 1200', 'idle_after: 0')
  broker.process.kill('SIGHUP')
  await broker.until('config.refused')

  edit(file, 'activations: many', 'activations: 60')
  edit(file, 'idle_after: 0', 'idle_after: 60')
  broker.process.kill('SIGHUP')
  await broker.until('config.reloaded')

  const { status, stderr } = await broker.end('SIGTERM')
  const refused = stderr.split('\n').find((line) => line.includes('config.refused'))
  expect(JSON.parse(refused!).problem).toEqual([
    expect.stringMatching(/^till\.yaml:\d+:18 policies\[0\]\.activations: /),
    expect.stringMatching(/^till\.yaml:\d+:17 policies\[0\]\.idle_after: /),
  ])
  expect(status).toBe(0)
  expect(stderr + readFileSync(file, 'utf8')).not.toContain('sk-ant-real')
})

test('init never overwrites', async () => {
  const cwd = folder()
  await runTill(['init'], { cwd })
  edit(join(cwd, 'till.yaml'), 'activations: 50', 'activations: 51')
  const again = await runTill(['init'], { cwd })
  expect(again).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('it is there already') })
  expect(readFileSync(join(cwd, 'till.yaml'), 'utf8')).toContain('activations: 51')
})

test('init without options writes a configuration that is good once the credential is there, and opens to nobody', async () => {
  const cwd = folder()
  const init = await runTill(['init', '--config', 'other.yaml'], { cwd })
  expect(init.stdout).toContain('till check --config other.yaml')
  expect(readFileSync(join(cwd, 'other.yaml'), 'utf8')).toContain('repository_id: "0"')
  const check = await runTill(['check', '--config', 'other.yaml'], { cwd, env: { OPENAI_API_KEY: 'sk-real' } })
  expect(check.status).toBe(0)
})

test.each([
  ['https://till.example.com/', 'public_url: https://till.example.com\n'],
  ['https://example.com/till/', 'public_url: https://example.com/till\n'],
])('init --public-url %s is written as `till check` takes it', async (url, line) => {
  const cwd = folder()
  expect((await runTill(['init', '--public-url', url], { cwd })).status).toBe(0)
  expect(readFileSync(join(cwd, 'till.yaml'), 'utf8')).toContain(line)
  expect((await runTill(['check'], { cwd, env: { OPENAI_API_KEY: 'sk-real' } })).status).toBe(0)
})

test('init for several providers names each', async () => {
  const cwd = folder()
  await runTill(['init', '--provider', 'openai,groq', '--provider', 'gemini'], { cwd })
  const file = readFileSync(join(cwd, 'till.yaml'), 'utf8')
  expect(file).toContain('providers: [openai, groq, gemini]')
})

test('SIGINT stops the broker as SIGTERM does', async () => {
  const cwd = folder()
  await runTill(['init'], { cwd })
  edit(join(cwd, 'till.yaml'), 'listen: 127.0.0.1:4100', 'listen: 127.0.0.1:0')
  edit(join(cwd, 'till.yaml'), 'https://token.actions.githubusercontent.com', 'http://127.0.0.1:9')
  const broker = startTill(['serve'], { cwd, env: { OPENAI_API_KEY: 'sk-real' } })
  await broker.until('Till listens on')
  expect((await broker.end('SIGINT')).status).toBe(0)
})

test('signals that come while it starts are heard when it has started', async () => {
  const cwd = folder()
  await runTill(['init'], { cwd })
  edit(join(cwd, 'till.yaml'), 'listen: 127.0.0.1:4100', 'listen: 127.0.0.1:0')
  edit(join(cwd, 'till.yaml'), 'https://token.actions.githubusercontent.com', 'http://127.0.0.1:9')
  const broker = startTill(['serve'], { cwd, env: { OPENAI_API_KEY: 'sk-real' } })
  await expect.poll(() => existsSync(join(cwd, 'till-data', 'till.db')), { interval: 1, timeout: 10_000 }).toBe(true)
  broker.process.kill('SIGHUP')
  broker.process.kill('SIGTERM')
  const { status, stderr } = await broker.ended
  const events = stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line).event)
  expect(status).toBe(0)
  expect(events).toEqual(expect.arrayContaining(['broker.started', 'config.reloaded', 'broker.stopped']))
})
