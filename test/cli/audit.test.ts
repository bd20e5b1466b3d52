import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tamper } from '#test/audit/stored-trail.ts'
import { type MintFailed, type SpawnedTill, spawnTill } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'
import { type Run, runTill, startTill } from './run-till.ts'

let till: SpawnedTill
let folder: string
let minted: MintAnswer
let denyId: string
/** What the broker answered when the key was revoked. */
let answer: string

beforeAll(async () => {
  till = await spawnTill({
    settings: { audit: { checkpoints: { file: 'checkpoints.jws' }, every: 1 } },
    policies: [{ name: 'review', repository_id: '101', providers: ['openai'], activations: 3 }],
  })
  folder = dirname(till.file)
  minted = await till.mint()
  for (let i = 0; i < 4; i++)
    await till.fetch('/proxy/openai/v1/responses', {
      method: 'POST',
      headers: { authorization: `Bearer ${minted.key}`, 'content-type': 'application/json' },
      body: '{"model":"gpt-5-mini","input":"hello"}',
    })
  const error = await till.mint({ job: till.issuer.job({ event_name: 'issue_comment' }) }).catch((failed) => failed)
  denyId = /d_[0-9A-Za-z]+/.exec(String((error as MintFailed).problem['detail']))![0]
  answer = JSON.stringify(await till.revoke(minted))
  writeFileSync(join(folder, 'answer.json'), answer)
  writeFileSync(join(folder, 'receipt.jws'), `${JSON.parse(answer).jws}\n`)
  writeFileSync(join(folder, 'empty.jws'), '\n')
  writeFileSync(join(folder, 'jwks.json'), await (await till.fetch('/.well-known/jwks.json')).text())
  for (const [name, args] of [
    ['all.jsonl', []],
    ['key.jsonl', ['--key', minted.id]],
  ] as const) {
    const { status, stdout } = await run('audit', 'export', ...args)
    expect(status).toBe(0)
    writeFileSync(join(folder, name), stdout)
  }
})
afterAll(() => till.close())

/** Beside the running broker, without the environment that holds its credentials. */
const run = (...args: string[]): Promise<Run> => runTill(args, { cwd: folder })
/** Where there is no configuration, no ledger and no broker. */
const offline = (...args: string[]): Promise<Run> =>
  runTill([...args, '--config', 'nowhere.yaml', '--jwks', 'jwks.json'], { cwd: folder })

function changed(name: string, change: (lines: string[]) => string[]): string {
  const lines = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n')
  writeFileSync(join(folder, 'changed.jsonl'), `${change(lines).join('\n')}\n`)
  return 'changed.jsonl'
}

test('audit verify says what was verified, and that it holds', async () => {
  const { status, stdout } = await run('audit', 'verify')
  expect(status).toBe(0)
  expect(stdout).toMatch(/^Verified \d+ events in 2 chains in [\d.]+ s: none was changed, removed or moved\.\n/)
  expect(stdout).toMatch(/checkpoints? (?:is|are) signed and linked, the last of 20\d\d-/)
})

test('audit verify --key verifies one key, --json prints the report, --checkpoint takes what was shipped', async () => {
  const { status, stdout } = await run(
    'audit',
    'verify',
    '--key',
    minted.id,
    '--checkpoint',
    'checkpoints.jws',
    '--json',
  )
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ chains: 1, faults: [] })
})

test('audit export writes one event a line, whose SHA-256 the next of its chain names', async () => {
  const lines = readFileSync(join(folder, 'all.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.filter(({ chain }) => chain === minted.id).map(({ type }) => type)).toEqual([
    'key.minted',
    ...Array(3).fill(['activation', 'request.finished']).flat(),
    'request.refused',
    'key.ended',
  ])
  expect(lines.at(-1)).toMatchObject({ type: 'checkpoint' })
})

test.each([
  ['the whole', ['all.jsonl']],
  ['one key', ['key.jsonl']],
  ['one key of the whole', ['all.jsonl', '--key', 'ID']],
  ['with the checkpoints that were shipped', ['all.jsonl', '--checkpoint', 'checkpoints.jws']],
])('audit verify --export works offline: %s', async (_, args) => {
  const given = args.map((arg) => (arg === 'ID' ? minted.id : arg))
  const { status, stdout, stderr } = await offline('audit', 'verify', '--export', ...given)
  expect(`${stdout}${stderr}`).toMatch(/^Verified /)
  expect(status).toBe(0)
})

test.each([
  ['a byte was changed', 'all.jsonl', (l: string[]) => l.map((line) => line.replace('"used":2', '"used":1'))],
  ['an event is missing', 'all.jsonl', (l: string[]) => l.filter((line) => !line.includes('"used":2'))],
  ['the last event of a key is missing', 'key.jsonl', (l: string[]) => l.toSpliced(-2, 1)],
  ['a whole key is missing', 'all.jsonl', (l: string[]) => l.filter((line) => !line.includes('"chain":"k_'))],
  ['the end was cut off', 'all.jsonl', (l: string[]) => l.filter((line) => !line.includes('"type":"checkpoint"'))],
])('audit verify --export finds that %s: status 1', async (_, file, change) => {
  const { status, stdout } = await offline('audit', 'verify', '--export', changed(file, change))
  expect(status).toBe(1)
  expect(stdout).toMatch(/^NOT as recorded: /)
  expect(stdout).toContain('expected ')
})

test('audit verify --export --checkpoint finds an export of an earlier moment', async () => {
  const last = readFileSync(join(folder, 'all.jsonl'), 'utf8').trimEnd().split('\n').at(-1)!
  const { seq, jws } = JSON.parse(last)
  writeFileSync(join(folder, 'last.jws'), jws)
  const earlier = changed('all.jsonl', (lines) => lines.slice(0, -1))
  const { status, stdout } = await offline('audit', 'verify', '--export', earlier, '--checkpoint', 'last.jws')
  expect(status).toBe(1)
  expect(stdout).toContain(`checkpoint ${seq}, which was shipped`)
})

test('audit verify --checkpoint finds a checkpoint that was changed among those that were shipped', async () => {
  const shipped = readFileSync(join(folder, 'checkpoints.jws'), 'utf8').trimEnd().split('\n')
  const [head, payload, signature] = shipped[0]!.split('.')
  const lines = [`${head}.${payload!.slice(1)}.${signature}`, ...shipped]
  writeFileSync(join(folder, 'changed.jws'), `${lines.join('\n')}\n`)
  const { status, stdout } = await run('audit', 'verify', '--checkpoint', 'changed.jws')
  expect(status).toBe(1)
  expect(stdout).toContain('expected a shipped checkpoint that this broker signed')
})

test('audit verify --export with the keys of another broker: status 1', async () => {
  const keys = JSON.parse(readFileSync(join(folder, 'jwks.json'), 'utf8'))
  keys.keys[0].x = Buffer.alloc(32, 7).toString('base64url')
  writeFileSync(join(folder, 'other.json'), JSON.stringify(keys))
  const args = ['audit', 'verify', '--export', 'all.jsonl', '--jwks', 'other.json']
  expect((await runTill(args, { cwd: folder })).status).toBe(1)
})

test('audit tail shows the last events, and new ones as they come', async () => {
  const tail = startTill(['audit', 'tail', '-n', '2'], { cwd: folder })
  await tail.until('key.ended')
  const { id } = await till.mint()
  await tail.until(id)
  expect(await tail.end('SIGINT')).toMatchObject({ status: 0, stderr: '' })
})

test.each([
  [['receipt', 'verify', 'answer.json', '--jwks', 'jwks.json']],
  [['receipt', 'verify', 'receipt.jws', '--jwks', 'jwks.json', '--audit', 'key.jsonl']],
  [['receipt', 'verify', 'receipt.jws', '--broker', 'URL', '--audit', 'all.jsonl']],
  [['receipt', 'verify', 'answer.json']],
])('till %j verifies', async (args) => {
  const { status, stdout, stderr } = await run(...args.map((arg) => (arg === 'URL' ? till.url : arg)))
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout).toMatch(/^Signed by the broker/)
  expect(stdout).toContain(minted.id)
})

test('receipt verify finds a receipt that was changed beside its signature, or in it', async () => {
  const { receipt, jws, ...rest } = JSON.parse(answer)
  const beside = { ...rest, jws, receipt: { ...receipt, activations: { ...receipt.activations, used: 1 } } }
  const [head, payload, signature] = jws.split('.')
  const inside = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('"used":3', '"used":1'))
  for (const [text, what] of [
    [JSON.stringify(beside), 'was changed'],
    [`${head}.${inside.toString('base64url')}.${signature}`, 'signature does not fit'],
    ['{}', 'expected a compact JWS'],
  ] as const) {
    writeFileSync(join(folder, 'false.json'), text)
    const { status, stdout, stderr } = await offline('receipt', 'verify', 'false.json')
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain(what)
  }
})

test('receipt verify --audit finds that the events do not bear it out', async () => {
  const audit = changed('key.jsonl', (lines) => lines.toSpliced(3, 1))
  const { status, stderr } = await offline('receipt', 'verify', 'answer.json', '--audit', audit)
  expect(status).toBe(1)
  expect(stderr).toContain('missing at event 4')
})

test('a checkpoint is no receipt', async () => {
  const { jws } = JSON.parse(readFileSync(join(folder, 'all.jsonl'), 'utf8').trimEnd().split('\n').at(-1)!)
  writeFileSync(join(folder, 'checkpoint.jws'), jws)
  expect((await offline('receipt', 'verify', 'checkpoint.jws')).stderr).toContain('till-receipt+jwt')
})

test('policy explain shows each check of a refused mint, as policy test does', async () => {
  const { status, stdout } = await run('policy', 'explain', denyId)
  expect(status).toBe(0)
  expect(stdout).toMatch(/^pass {2}review {2}repository_id +found 101 +expected 101$/m)
  expect(stdout).toMatch(/^FAIL {2}review {2}event_name +found issue_comment +expected push, /m)
  expect(stdout).toMatch(/Denied: no policy allows it\.$/m)
  const event = JSON.parse((await run('policy', 'explain', denyId, '--json')).stdout)
  expect(event).toMatchObject({ type: 'mint.refused', deny_id: denyId })
})

test.each([
  [['audit', 'verify', '--key', 'till_notakeyid'], 2],
  [['audit', 'verify', '--nonsense'], 2],
  [['audit', 'verify', '--key', 'k_0000000000000000000000'], 1],
  [['audit', 'verify', '--export', 'nothing.jsonl', '--jwks', 'jwks.json'], 1],
  [['audit', 'verify', '--export', 'all.jsonl', '--jwks', 'answer.json'], 1],
  [['audit', 'verify', '--checkpoint', 'till.yaml'], 1],
  [['audit', 'verify', '--checkpoint', 'receipt.jws'], 1],
  [['audit', 'verify', '--checkpoint', 'empty.jws'], 1],
  [['audit', 'verify', '--export', 'all.jsonl', '--jwks', 'jwks.json', '--checkpoint', 'jwks.json'], 1],
  [['audit', 'export', '--key', 'k_0000000000000000000000'], 1],
  [['audit', 'tail', '-n', 'many'], 2],
  [['receipt', 'verify', 'nothing.jws'], 1],
  [['receipt', 'verify', 'answer.json', '--jwks', 'jwks.json', '--broker', 'https://till.example.com'], 2],
  [['receipt', 'verify', 'answer.json', '--config', 'nowhere.yaml'], 2],
  [['receipt', 'verify', 'answer.json', '--broker', 'http://till.example.com'], 2],
  [['policy', 'explain', 'd_nothing'], 1],
])('till %j ends with status %i and one sentence', async (args, status) => {
  const ended = await run(...args)
  expect(ended).toMatchObject({ status, stdout: '' })
  expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
})

test('a broker whose ledger was put back does not start, and says what to do; verify names what is wrong', async () => {
  await till.kill('SIGTERM')
  tamper(till.database, 'DELETE FROM checkpoint_heads; DELETE FROM checkpoints')
  await expect(till.start()).rejects.toThrow(/does not hold checkpoint \d+, .*till audit verify/)
  const { status, stdout } = await run('audit', 'verify', '--checkpoint', 'checkpoints.jws')
  expect(status).toBe(1)
  expect(stdout).toMatch(/truncated: checkpoints, event 1\n +expected checkpoint 1, which was shipped/)
})
