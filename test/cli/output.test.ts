import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SpawnedTill, spawnTill } from '#test/support/start-till.ts'
import { configured } from './folder.ts'
import { runShell } from './run-till.ts'

let till: SpawnedTill
beforeAll(async () => {
  till = await spawnTill()
  await till.mint()
})
afterAll(() => till.close())

/** In the folder of a running broker; each command of a pipe has its status in `of`. */
async function shell(line: string) {
  const { stdout, stderr } = await runShell(`${line}; echo "of \${PIPESTATUS[*]}"`, { cwd: dirname(till.file) })
  return { of: /^of (.*)$/m.exec(stdout)?.[1], stderr }
}

test.each([['keys list --all'], ['audit export'], ['audit verify'], ['--help'], ['keys --help'], ['--version']])(
  'till %s whose reader has gone ends quietly, as SIGPIPE ends others',
  async (args) => {
    expect(await shell(`till ${args} | true`)).toEqual({ of: '141 0', stderr: '' })
  },
)

test('audit export ends when its reader goes in the middle', async () => {
  expect(await shell('(till audit export; till audit export) | head -n 1 > /dev/null')).toMatchObject({ stderr: '' })
})

const hasGnuTail = spawnSync('tail', ['--version'], { encoding: 'utf8' }).stdout?.includes('GNU')
test.skipIf(!hasGnuTail)(
  'audit tail ends when its reader goes, though no event comes (needs the tail of GNU)',
  async () => {
    expect(await shell('till audit tail -n 1 | head -n 1')).toEqual({ of: '141 0', stderr: '' })
  },
)

test('a broker whose standard output nobody reads goes on', async () => {
  const line = `
    set -m
    till serve 2> log | true &
    for i in {1..200}; do grep -q broker.started log && break; sleep 0.1; done
    sleep 1
    jobs -r
    kill %1
    wait`
  const { stdout } = await runShell(line, { cwd: configured(), env: { OPENAI_API_KEY: 'sk-real' } })
  expect(stdout).toMatch(/Running +till serve/)
})

describe.skipIf(process.platform !== 'linux')('standard output that is full (needs /dev/full)', () => {
  test.each([['keys list --all'], ['audit export'], ['audit tail'], ['--help']])(
    'till %s says so in one sentence: status 1',
    async (args) => {
      const { of, stderr } = await shell(`till ${args} > /dev/full`)
      expect(of).toBe('1')
      expect(stderr).toMatch(/^Cannot write to standard output \(ENOSPC\).*\n$/)
    },
  )

  test('audit export of which only a part fitted on the disk fails', async () => {
    expect(await shell('(ulimit -f 1; till audit export > part)')).toMatchObject({ of: '1' })
  })
})
