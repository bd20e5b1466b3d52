import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configured } from './folder.ts'
import { runShell, runTill, TWO_STARTS } from './run-till.ts'

const CLAIMS = {
  iss: 'http://127.0.0.1:9',
  aud: 'http://127.0.0.1:4100',
  repository: 'acme/web',
  repository_id: '101',
  repository_owner_id: '7',
  run_id: '7001',
  run_attempt: '1',
  check_run_id: '90001',
  event_name: 'push',
  ref: 'refs/heads/main',
}

async function policyTest(claims: object | string, ...options: string[]) {
  const cwd = configured()
  writeFileSync(join(cwd, 'claims'), typeof claims === 'string' ? claims : JSON.stringify(claims))
  return runTill(['policy', 'test', '--claims', 'claims', ...options], { cwd })
}

test('a job that a policy is for is allowed: status 0, with what it gets', async () => {
  const run = await policyTest(CLAIMS)
  expect(run).toMatchObject({ status: 0, stderr: '' })
  expect(run.stdout).toContain('Allowed by policy "review": 50 activations of openai within 3600 seconds.')
})

test('a job that no policy is for is denied: status 1, with each check, what it expected and what it found', async () => {
  const run = await policyTest({ ...CLAIMS, event_name: 'pull_request_target' })
  expect(run.status).toBe(1)
  expect(run.stdout).toMatch(/^FAIL +review +event_name +found pull_request_target +expected push, /m)
  expect(run.stdout).toMatch(/^FAIL +docs +event_name +found pull_request_target +expected issue_comment$/m)
  expect(run.stdout).toContain('Denied: no policy allows it.')
})

test('--json is for programs', async () => {
  const run = await policyTest({ ...CLAIMS, event_name: 'issue_comment' }, '--json')
  expect(JSON.parse(run.stdout)).toMatchObject({
    decision: 'allowed',
    policy: 'docs',
    activations: 5,
    providers: ['openai', 'groq'],
    models: ['gpt-5-*'],
    checks: expect.arrayContaining([
      expect.objectContaining({ policy: 'review', check: 'event_name', passed: false, found: 'issue_comment' }),
    ]),
  })
})

test.each([
  ['--policy', 'docs'],
  ['--providers', 'groq'],
  ['--activations', '51'],
  ['--expires-in', '3601'],
])('%s %s asks for more than the policy gives: denied', async (...options) => {
  expect((await policyTest(CLAIMS, ...options)).status).toBe(1)
})

test('--policy of a name that no policy has: status 1, and says which there are', async () => {
  const run = await policyTest(CLAIMS, '--policy', 'nope')
  expect(run).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('"review", "docs"') })
})

test('an ID token is taken apart, and not verified', async () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  expect((await policyTest(`${part({ alg: 'RS256' })}.${part(CLAIMS)}.c2ln`)).status).toBe(0)
})

test('claims are read from a pipe that is slower than the start of the command', async () => {
  const cwd = configured()
  writeFileSync(join(cwd, 'claims'), JSON.stringify(CLAIMS))
  const run = await runShell(`(${TWO_STARTS}; cat claims) | till policy test --claims -`, { cwd })
  expect(run).toMatchObject({ status: 0, stderr: '' })
})

test.each([
  ['iss', 'https://token.actions.githubusercontent.com'],
  ['aud', 'https://github.com/acme'],
])('a token whose %s is not for this broker is denied', async (name, value) => {
  expect((await policyTest({ ...CLAIMS, [name]: value })).status).toBe(1)
})

test('what names only the run may be left out', async () => {
  const { repository_id, repository_owner_id, event_name } = CLAIMS
  expect((await policyTest({ repository_id, repository_owner_id, event_name })).status).toBe(0)
})

test.each([
  ['an id that is a number', { ...CLAIMS, repository_id: 101 }],
  ['no id', { event_name: 'push' }],
  ['a list', '[]'],
  ['no JSON', 'eyJhbGciOiJSUzI1NiJ9.secret'],
])('%s: cannot be read, status 1, and is not repeated', async (_, claims) => {
  const run = await policyTest(claims)
  expect(run).toMatchObject({ status: 1, stdout: '' })
  expect(run.stderr).not.toContain('secret')
})
