import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { catalogue } from '#domain/refusal.ts'
import { brokers } from './brokers.ts'

const running = brokers()
afterEach(() => running.close())

const page = readFileSync('docs/api.md', 'utf8')

/** What the examples are written for, and every runner of GitHub's has. */
const hasTools = spawnSync('bash', ['-c', 'command -v curl && command -v jq && command -v openssl']).status === 0

test.skipIf(!hasTools)('the examples of docs/api.md work as they stand (needs bash, curl, jq, openssl)', async () => {
  const till = await running.till()
  const job = till.issuer.job()
  await expect.poll(async () => (await till.fetch('/readyz')).status, { timeout: 10_000 }).toBe(200)
  const examples = [...page.matchAll(/```sh\n(.*?)```/gs)].map((found) => found[1]!)
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', examples.join('\n')], {
    env: { ...process.env, ...job.environment, TILL: till.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [[status], answers, errors] = await Promise.all([once(shell, 'exit'), text(shell.stdout), text(shell.stderr)])
  expect(errors).toBe('')
  expect(status).toBe(0)
  expect(answers).toContain('"end_reason":"revoked_by_job"')
  expect(till.provider.received).toHaveLength(1)
})

test('docs/api.md knows every code that it names', () => {
  const named = [...page.matchAll(/\| \d{3} \| (.*?) \|/g)].flatMap((row) => [...row[1]!.matchAll(/`(\w+)`/g)])
  expect(named.map((found) => found[1]).filter((code) => !(code! in catalogue))).toEqual([])
  expect(named.length).toBeGreaterThan(15)
})
