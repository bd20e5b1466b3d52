import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { credentialForms } from '#domain/credential-forms.ts'
import { runTill } from '#test/cli/run-till.ts'
import { type Fault, type Provider, startProvider } from '#test/support/provider.ts'
import { bytesOf, openRaw } from '#test/support/raw-client.ts'
import { type SpawnedTill, spawnTill } from '#test/support/start-till.ts'

/**
 * G15, P4, P10: a broker lives a whole life, with providers that say their credential wherever they can; then everything
 * that it let out or left behind is searched: for credentials in any form and any 12 characters of them, for keys, for
 * the master key.
 */
/** Whose credentials are sent. */
const USED = ['openai', 'anthropic', 'gemini', 'groq', 'other'] as const
let provider: Provider
let till: SpawnedTill
let secrets: string
let temporary: string
/** By where it was found. */
const outputs = new Map<string, string>()
const keys: string[] = []

const answers: string[] = []
async function send(bytes: string): Promise<string> {
  const connection = await openRaw(Number(new URL(till.url).port))
  connection.write(bytes)
  await connection.closed
  answers.push(connection.received)
  return connection.received
}

beforeAll(async () => {
  provider = await startProvider()
  secrets = mkdtempSync(join(tmpdir(), 'till-secrets-'))
  temporary = mkdtempSync(join(tmpdir(), 'till-tmp-'))
  const preset = (name: keyof Provider['credentials']) => {
    const file = join(secrets, name)
    writeFileSync(file, `${provider.credentials[name]}\n`, { mode: 0o600 })
    return { origin: provider.url, credential: `file:${file}` }
  }
  till = await spawnTill({
    provider,
    providers: {
      openai: preset('openai'),
      anthropic: preset('anthropic'),
      gemini: preset('gemini'),
      groq: preset('groq'),
      billing: {
        ...preset('other'),
        header: 'authorization: Bearer {credential}',
        routes: ['GET /invoices/*', 'POST /invoices'],
        model: 'none',
      },
      dead: {
        ...preset('other'),
        origin: 'http://127.0.0.1:1',
        header: 'x-key: {credential}',
        routes: ['GET /x'],
        model: 'none',
      },
    },
    policies: [
      {
        name: 'review',
        repository_id: '101',
        providers: ['openai', 'anthropic', 'gemini', 'groq', 'billing', 'dead'],
        activations: 100,
      },
    ],
    // The stand-ins' own are here by habit of the harness, under names that no provider of this file reads.
    env: {
      TMPDIR: temporary,
      ...Object.fromEntries(Object.keys(provider.credentials).map((name) => [`REAL_${name.toUpperCase()}`, 'none'])),
    },
  })
  await live()
  collect()
}, 60_000)

afterAll(async () => {
  await till.close()
  await provider.close()
  rmSync(secrets, { recursive: true })
  rmSync(temporary, { recursive: true })
})

/** One of everything that a broker does. */
async function live(): Promise<void> {
  const minted = await till.mint({ providers: ['openai', 'anthropic', 'gemini', 'groq', 'billing', 'dead'] })
  keys.push(minted.key)
  const auth = [`authorization: Bearer ${minted.key}`, 'connection: close', 'content-type: application/json']
  const calls: readonly (readonly [keyof Provider['credentials'], string])[] = [
    ['openai', bytesOf('POST /proxy/openai/v1/responses', auth, '{"model":"gpt-5-mini","input":"x","stream":true}')],
    ['anthropic', bytesOf('POST /proxy/anthropic/v1/messages', auth, '{"model":"claude-haiku-5","messages":[]}')],
    ['gemini', bytesOf('POST /proxy/gemini/v1beta/models/gemini-3-flash:generateContent', auth, '{}')],
    ['groq', bytesOf('POST /proxy/groq/openai/v1/chat/completions', auth, '{"model":"m","messages":[]}')],
    ['other', bytesOf('GET /proxy/billing/invoices/1', auth)],
  ]
  for (const [name, call] of calls) {
    const credential = provider.credentials[name]
    await send(call)
    const faults: Fault[] = [
      { echo: true },
      { echo: true, status: 401 },
      { echo: true, status: 400 },
      { echo: true, status: 500 },
      { echo: true, status: 302, headers: { location: `https://evil.example/${credential}` } },
      { body: Buffer.from(`x${credential}`).toString('base64'), headers: { 'x-credential': credential } },
      { body: `%${encodeURIComponent(credential)}%`, headers: { 'set-cookie': [credential] } },
      { body: Buffer.from(credential).toString('hex') },
      { compressed: 'gzip' },
      { cutAfter: 0 },
    ]
    for (const fault of faults) {
      provider.next(fault)
      await send(call)
    }
  }
  await send(bytesOf('GET /proxy/dead/x', auth))
  await send(bytesOf(`POST /proxy/openai/v1/responses?key=${minted.key}`, auth, '{}'))
  provider.next({ body: '{}' })
  await send(bytesOf('POST /proxy/openai/v1/responses', auth, JSON.stringify({ model: minted.key })))
  await send(bytesOf('POST /proxy/openai/v1/responses', [...auth, `x-api-key: ${minted.key}x`], '{}'))
  await send(bytesOf('GET /proxy/openai/v1/nothing', auth))
  for (const path of [
    '/healthz',
    '/readyz',
    '/.well-known/till',
    '/.well-known/jwks.json',
    '/v1/keys/self',
    '/nothing',
    '/%zz',
  ])
    await send(bytesOf(`GET ${path}`, auth))
  await send('GET / HTTP/1.1\r\n\r\n')
  await send('nonsense\r\n\r\n')
  await till.mint({ job: till.issuer.job({ repository_id: '999' }) }).catch(() => {})
  await send(bytesOf(`GET /v1/keys/${minted.id}/receipt`, auth))
  await send(bytesOf(`DELETE /v1/keys/${minted.id}`, auth))
  await send(bytesOf('POST /proxy/openai/v1/responses', auth, '{}'))
  keys.push((await till.mint({ job: till.issuer.job() })).key)

  process.kill(pid(), 'SIGHUP')
  while (!till.log.some(({ event }) => event.includes('config.reloaded')))
    await new Promise((resolve) => setTimeout(resolve, 10))
  for (const part of ['cmdline', 'environ'])
    outputs.set(`/proc/${part}`, readFileSync(`/proc/${pid()}/${part}`, 'latin1'))
  for (const args of [
    ['keys', 'list'],
    ['keys', 'show', minted.id],
    ['check'],
    ['audit', 'export'],
    ['credential', 'list'],
  ]) {
    const { stdout, stderr } = await runTill([...args, '--config', till.file], { cwd: dirname(till.file) })
    outputs.set(`till ${args.join(' ')}`, stdout + stderr)
  }
}

function pid(): number {
  const found = readdirSync('/proc').find((name) => {
    if (!/^[0-9]+$/.test(name)) return false
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'latin1')
      return command.includes(till.file) && command.includes('\0serve\0')
    } catch {
      return false
    }
  })
  return Number(found)
}

function collect(): void {
  for (const [n, answer] of answers.entries()) outputs.set(`answer ${n}`, answer)
  outputs.set('log', till.log.map(({ event }) => event).join('\n'))
  for (const folder of [dirname(till.file), temporary])
    for (const file of readdirSync(folder))
      if (file !== 'till.yaml' && file !== 'master.key') outputs.set(file, readFileSync(join(folder, file), 'latin1'))
}

const WINDOW = 12
const windows = (text: string) => {
  const all = new Set<string>()
  for (let at = 0; at + WINDOW <= text.length; at++) all.add(text.slice(at, at + WINDOW))
  return all
}

/** The places in which any 12 characters of a text stand, in whatever case. */
function places(texts: readonly string[]): string[] {
  const wanted = new Set(texts.flatMap((text) => [...windows(text.toLowerCase())]))
  return [...outputs]
    .filter(([, output]) => [...windows(output.toLowerCase())].some((window) => wanted.has(window)))
    .map(([place]) => place)
}

test.skipIf(process.platform !== 'linux')('G15: the search finds what is there (needs /proc)', () => {
  const credential = provider.credentials.openai
  outputs.set('a leak', `…${Buffer.from(credential).toString('hex').slice(10, 30)}…`)
  expect(places(credentialForms(credential, { before: '' }))).toEqual(['a leak'])
  outputs.delete('a leak')
  expect([...outputs.keys()]).toEqual(
    expect.arrayContaining(['log', 'till.db', 'till.db-wal', '/proc/environ', 'till keys list']),
  )
})

test('G15, P4: no 12 characters of a credential, in any form, are in anything that the broker let out or left behind', () => {
  // Each provider got its own: without that there is nothing to look for.
  for (const name of USED) {
    const credential = provider.credentials[name]
    expect(provider.received.some(({ rawHeaders }) => JSON.stringify(rawHeaders).includes(credential))).toBe(true)
    const own = places(credentialForms(credential, { before: '' }))
    expect(own, name).toEqual([])
  }
})

test('G15, P10: no key is in anything but the answer to its mint, which nobody kept', () => {
  expect(keys).toHaveLength(2)
  expect(places(keys.map((key) => key.slice('till_'.length)))).toEqual([])
})

test('G15, P10: the master key is in its file alone', () => {
  const text = readFileSync(join(dirname(till.file), 'master.key'), 'latin1').trim()
  expect(
    places([text, Buffer.from(text, 'base64').toString('latin1'), Buffer.from(text, 'base64').toString('hex')]),
  ).toEqual([])
})
