import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configured } from './folder.ts'
import { hasTerminals, runOnTerminal, runShell, runTill, startTill, TWO_STARTS } from './run-till.ts'

const VALUE = 'gsk_0123456789abcdef'

test('credential set seals a value that the broker then has', async () => {
  const cwd = configured()
  const set = await runTill(['credential', 'set', 'groq'], { cwd, input: `${VALUE}\n` })
  expect(set).toMatchObject({ status: 0, stderr: '' })
  for (const name of readdirSync(join(cwd, 'till-data')))
    expect(readFileSync(join(cwd, 'till-data', name)).includes(VALUE), name).toBe(false)

  const broker = startTill(['serve'], { cwd, env: { OPENAI_API_KEY: 'sk-real' } })
  await broker.until('Till listens on')
  expect((await broker.end('SIGTERM')).stderr).not.toContain('credential.missing')
})

/** As a broker leaves it that was started without a stored credential. */
async function makeLedger(cwd: string): Promise<void> {
  const broker = startTill(['serve'], { cwd, env: { OPENAI_API_KEY: 'sk-real' } })
  await broker.until('Till listens on')
  await broker.end('SIGTERM')
}

test('credential list says what is there, rotate replaces it, and who did it is on record', async () => {
  const cwd = configured()
  const till = async (input: string, ...args: string[]) => (await runTill(args, { cwd, input })).stdout
  await makeLedger(cwd)
  expect((await runTill(['credential', 'rotate', 'groq'], { cwd, input: VALUE })).stderr).toContain('set groq')
  expect(await till('', 'credential', 'list')).toMatch(/^openai +in the configuration +https:.*\ngroq +missing /m)
  await till(VALUE, 'credential', 'set', 'groq')
  await till(`${VALUE}2`, 'credential', 'rotate', 'groq')
  const listed = await till('', 'credential', 'list')
  expect(listed).toMatch(/^groq +sealed /m)
  expect(listed).not.toContain(VALUE)
  const rows = JSON.parse(await till('', 'credential', 'list', '--json'))
  expect(rows).toContainEqual({ provider: 'groq', credential: 'sealed', origin: 'https://api.groq.com' })
  const events = (await till('', 'audit', 'export')).split('\n').filter((line) => line.includes('"operator.'))
  expect(events.map((line) => JSON.parse(line).event ?? JSON.parse(line))).toMatchObject(
    ['set', 'rotate'].map((act) => ({ type: `operator.${act}_credential`, provider: 'groq', operator: /^cli:./ })),
  )
})

test.each([
  ['an unknown provider', 'mistral', VALUE],
  ['a provider that takes it from elsewhere', 'openai', VALUE],
  ['an empty value', 'groq', '\n'],
  ['two lines', 'groq', `${VALUE}\nx\n`],
])('credential set refuses %s: status 1, and does not repeat the value', async (_, name, input) => {
  const run = await runTill(['credential', 'set', name], { cwd: configured(), input })
  expect(run).toMatchObject({ status: 1, stdout: '' })
  expect(run.stderr).not.toContain(VALUE)
})

test('credential set waits for a pipe that is slower than its own start', async () => {
  const set = await runShell(`(${TWO_STARTS}; echo ${VALUE}) | till credential set groq`, { cwd: configured() })
  expect(set).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('is sealed') })
})

test.each([
  ['a folder', 'till credential set groq < /', 'it is empty'],
  ['what does not end', 'till credential set groq < /dev/zero', '65,536 bytes'],
  ['nothing', 'till credential set groq <&-', 'it is empty'],
])('credential set refuses %s as standard input in one sentence: status 1', async (_, line, why) => {
  const set = await runShell(line, { cwd: configured() })
  expect(set).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining(why) })
  expect(set.stderr.trimEnd().split('\n')).toHaveLength(1)
})

describe.skipIf(!hasTerminals)('on a terminal (needs python3)', () => {
  const set = (keys: string) =>
    runOnTerminal(['credential', 'set', 'groq'], { cwd: configured(), cue: 'end with Ctrl-D', keys })

  test('credential set takes what is pasted, and does not show it', async () => {
    const { shown, ...rest } = await set(`${VALUE}\r\x04`)
    expect(rest).toEqual({ status: 0, isAsBefore: true })
    expect(shown).toContain('The credential of groq is sealed')
    expect(shown).not.toContain(VALUE)
  })

  test('credential set takes back what is erased', async () => {
    expect(await set(`wrong\x15${VALUE}ö\x7f\x7f\x04`)).toMatchObject({ status: 0 })
  })

  test('Ctrl-C ends credential set by SIGINT, with the terminal as it was', async () => {
    const { shown, ...rest } = await set(`${VALUE}\x03`)
    expect(rest).toEqual({ status: -2, isAsBefore: true })
    expect(shown).not.toContain(VALUE)
  })
})
