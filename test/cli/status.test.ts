import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configured, folder } from './folder.ts'
import { runTill } from './run-till.ts'

test.each([
  [[]],
  [['bogus']],
  [['check', '--bogus']],
  [['keys']],
  [['keys', 'show']],
  [['keys', 'show', 'till_0123456789']],
  [['policy', 'test']],
  [['policy', 'test', '--claims', 'claims.json', '--activations', 'many']],
  [['init', '--provider', 'opnai']],
  [['init', '--public-url', 'http://till.example.com']],
  [['init', '--repository-id', 'acme/web']],
  [['credential', 'set']],
])('till %j is wrong use: status 2, and says so on standard error', async (args) => {
  const run = await runTill(args, { cwd: configured() })
  expect(run).toMatchObject({ status: 2, stdout: '' })
  expect(run.stderr).not.toBe('')
})

test.each([[['--version']], [['--help']], [['help']], [['keys', '--help']]])(
  'till %j is done: status 0',
  async (args) => {
    const run = await runTill(args, { cwd: folder() })
    expect(run).toMatchObject({ status: 0, stderr: '' })
    expect(run.stdout).not.toBe('')
  },
)

test.each([['serve'], ['check']])(
  'till %s without a configuration fails: status 1, and says what to do',
  async (command) => {
    const run = await runTill([command], { cwd: folder() })
    expect(run).toMatchObject({ status: 1, stdout: '' })
    expect(run.stderr).toContain('till.yaml: there is no such file; `till init` writes one')
  },
)

test.each([['serve'], ['check']])('till %s says every problem of a configuration at once', async (command) => {
  const cwd = folder()
  writeFileSync(
    join(cwd, 'till.yaml'),
    'public_url: https://till.example.com\nproviders: {}\npolicies: []\nworker: 4\n',
  )
  const run = await runTill([command], { cwd })
  expect(run.status).toBe(1)
  for (const place of ['till.yaml:2:12 providers: ', 'till.yaml:3:11 policies: ', 'till.yaml:4:1 worker: '])
    expect(run.stderr).toContain(place)
})

test('a broker that cannot start says why in one sentence: status 1', async () => {
  const cwd = folder()
  writeFileSync(
    join(cwd, 'till.yaml'),
    'public_url: https://till.example.com\nstorage: postgresql://till@127.0.0.1/till\nmaster_key: env:KEY\nproviders: { openai: { credential: stored } }\npolicies: [{ name: a, repository_id: "1", providers: openai, activations: 1 }]\n',
  )
  const run = await runTill(['serve'], { cwd, env: { KEY: Buffer.alloc(32, 1).toString('base64') } })
  expect(run).toMatchObject({ status: 1, stdout: '' })
  expect(run.stderr.trim().split('\n')).toHaveLength(1)
})

test('the key itself is not repeated when it is given instead of its id', async () => {
  const run = await runTill(['keys', 'revoke', 'till_0123456789'], { cwd: configured() })
  expect(run.stderr).not.toContain('0123456789')
})

test.each([
  [['--config', 'other.yaml', 'check']],
  [['check', '--config', 'other.yaml']],
  [['check', '-c', 'other.yaml']],
])('till %j reads the named configuration', async (args) => {
  expect((await runTill(args, { cwd: folder() })).stderr).toContain('other.yaml: there is no such file')
})

test('the help of every command shows --config', async () => {
  for (const args of [['check'], ['keys', 'list'], ['policy', 'test'], ['credential', 'set']])
    expect((await runTill([...args, '--help'], { cwd: folder() })).stdout).toContain('--config <file>')
})
