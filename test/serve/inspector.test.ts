import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

test('a process with an open inspector does not serve: whoever reaches it reads every credential', () => {
  const script = `const { serve } = await import('#serve.ts'); await serve({}, {})`
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--inspect=127.0.0.1:0', '--input-type=module', '--eval', script],
    { encoding: 'utf8', cwd: process.cwd(), timeout: 20_000 },
  )
  expect(status).toBe(1)
  expect(stderr).toContain('StartError')
  expect(stderr).toContain('--inspect')
})
