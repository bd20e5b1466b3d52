import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { deserialize, serialize } from 'node:v8'
import { expect, test } from 'vitest'
import { type Config, type ConfigProblem, parseConfig, problemLine } from '#config.ts'
import { DEFAULT_EVENTS } from '#domain/policy.ts'
import { presets } from '#domain/presets.ts'
import { formatRoute } from '#domain/route.ts'
import { SECRET, sources } from './sources.ts'

const here = import.meta.dirname
const files = (folder: string) => readdirSync(folder).map((name) => `${folder}/${name}`)

/** A file, and the problems that it says it has, one a line at its end. */
function broken(file: string): { source: string; expected: string[] } {
  const [, source, list] = /^(.*?)\n?((?:# problem: .*\n)+)$/s.exec(readFileSync(file, 'utf8'))!
  return { source: source!, expected: [...list!.matchAll(/^# problem: (.*)$/gm)].map(([, line]) => line!) }
}

function shown({ line, column, path, message }: ConfigProblem): string {
  return `${line}:${column} ${path === '' ? '' : `${path}: `}${message}`
}

function problems(source: string): readonly ConfigProblem[] {
  const read = parseConfig(source, sources)
  return Array.isArray(read) ? read : []
}

function good(source: string): Config {
  const read = parseConfig(source, sources)
  if (Array.isArray(read)) throw new Error(read.map((problem) => problemLine('till.yaml', problem)).join('\n'))
  return read as Config
}

test.each(files(`${here}/broken`))('%s: every problem is named with its line', (file) => {
  const { source, expected } = broken(file)
  expect(problems(source).map(shown)).toEqual(expected)
})

test.each(files(`${here}/broken`))('%s: no problem shows a secret', (file) => {
  expect(JSON.stringify(problems(broken(file).source))).not.toContain(SECRET)
})

test("the contract's example is a configuration", () => {
  const config = good(readFileSync(`${here}/good/contract.yaml`, 'utf8'))
  expect(config).toMatchObject({
    file: '/etc/till/till.yaml',
    publicUrl: 'https://till.example.com',
    audience: 'https://till.example.com',
    listen: { host: '0.0.0.0', port: 4100 },
    adminListen: { host: '127.0.0.1', port: 4101 },
    storage: { kind: 'sqlite', path: '/etc/till/till-data/till.db' },
    masterKey: new Uint8Array(32).fill(7),
    issuers: [
      { url: 'https://token.actions.githubusercontent.com', checkRunId: 'required' },
      { url: 'https://ghes.example.com/_services/token', checkRunId: 'optional' },
    ],
    github: { webhookSecret: SECRET, appId: '123', apiUrl: 'https://api.github.com' },
  })
  expect([...config.providers.keys()]).toEqual(['openai', 'anthropic', 'gemini', 'billing'])
  expect(config.credentials.get('anthropic')).toEqual({ kind: 'value', value: SECRET })
  expect(config.credentials.get('gemini')).toEqual({ kind: 'stored' })
  expect(config.policies[0]).toEqual({
    name: 'review',
    repositoryIds: ['101'],
    repositoryOwnerIds: null,
    claims: new Map([
      ['event_name', ['push', 'pull_request']],
      ['ref', ['refs/heads/main']],
      ['environment', ['agents']],
    ]),
    providers: ['openai', 'anthropic'],
    activations: 50,
    expiresInSeconds: 3600,
    idleAfterSeconds: 1200,
    routes: [
      { method: 'POST', path: '/v1/responses' },
      { method: 'POST', path: '/v1/messages' },
    ],
    models: ['gpt-5-mini', 'claude-haiku-*'],
    limits: { keysPerRun: 16, activationsPerRun: 400, activationsPerDay: 5000, concurrentRequests: 32 },
  })
})

test('a provider of your own is compiled from its four fields', () => {
  const billing = good(readFileSync(`${here}/good/contract.yaml`, 'utf8')).providers.get('billing')!
  expect({ ...billing, routes: billing.routes.map(formatRoute), free: billing.free.map(formatRoute) }).toEqual({
    name: 'billing',
    origin: 'https://billing.internal',
    header: { name: 'authorization', before: 'Bearer ', after: '' },
    base: '',
    prefix: null,
    routes: ['GET /invoices/*', 'POST /invoices'],
    free: ['GET /health'],
    model: 'none',
  })
})

const MINIMAL = `public_url: https://till.example.com
providers:
  openai: { credential: env:GOOD }
policies:
  - name: review
    repository_id: "101"
    providers: [openai]
    activations: 50
`

test('what is not said has its default', () => {
  const config = good(MINIMAL)
  expect(config).toMatchObject({
    listen: { host: '0.0.0.0', port: 4100 },
    adminListen: { host: '127.0.0.1', port: 4101 },
    storage: { kind: 'sqlite', path: '/etc/till/till-data/till.db' },
    masterKey: null,
    issuers: [{ url: 'https://token.actions.githubusercontent.com', checkRunId: 'required' }],
    github: null,
    audit: { checkpoints: null, everySeconds: 60 },
  })
  expect(config.policies[0]).toMatchObject({
    claims: new Map([['event_name', DEFAULT_EVENTS]]),
    expiresInSeconds: 3600,
    idleAfterSeconds: null,
    routes: null,
    models: null,
    limits: { keysPerRun: null, activationsPerRun: null, activationsPerDay: null, concurrentRequests: 32 },
  })
  expect(config.providers.get('openai')).toEqual(presets.get('openai'))
})

test.each([
  ['file: ../checkpoints.jws', { kind: 'file', to: '/etc/checkpoints.jws' }],
  ['webhook: https://collector.example.com/till', { kind: 'webhook', to: 'https://collector.example.com/till' }],
  ['put: http://127.0.0.1:9000/bucket/till', { kind: 'put', to: 'http://127.0.0.1:9000/bucket/till' }],
])('checkpoints go to %s', (target, checkpoints) => {
  const { audit } = good(`${MINIMAL}audit: { checkpoints: { ${target} }, every: 5 }\n`)
  expect(audit).toEqual({ checkpoints, everySeconds: 5 })
})

test('claims without event_name keep the default events', () => {
  const { policies } = good(`${MINIMAL}    claims: { ref: refs/heads/main }\n`)
  expect(policies[0]?.claims.get('event_name')).toEqual(DEFAULT_EVENTS)
})

test('a custom property of a repository is a claim', () => {
  const { policies } = good(`${MINIMAL}    claims: { repo_property_team: web }\n`)
  expect(policies[0]?.claims.get('repo_property_team')).toEqual(['web'])
})

test('every field of a preset can be overridden', () => {
  const { providers } = good(
    MINIMAL.replace(
      '{ credential: env:GOOD }',
      '{ origin: http://127.0.0.1:8080, header: "x-api-key: {credential}", credential: env:GOOD, routes: ["POST /v1/a"], free: [], model: none }',
    ),
  )
  expect(providers.get('openai')).toEqual({
    name: 'openai',
    origin: 'http://127.0.0.1:8080',
    header: { name: 'x-api-key', before: '', after: '' },
    base: '/v1',
    prefix: '/v1',
    routes: [{ method: 'POST', path: '/v1/a' }],
    free: [],
    model: 'none',
  })
})

test('a file gives its secret without the line end, and is found from the folder of the configuration', () => {
  const { credentials } = good(MINIMAL.replace('env:GOOD', 'file:openai.key'))
  expect(credentials.get('openai')).toEqual({ kind: 'value', value: SECRET })
})

test.each(['constructor', 'toString', '__proto__', '__defineGetter__'])(
  'env:%s is a variable that is not set, as long as nobody sets it',
  (name) => {
    expect(problems(MINIMAL.replace('env:GOOD', `env:${name}`))).toMatchObject([
      { path: 'providers.openai.credential', message: `the environment variable ${name} is not set` },
    ])
    const env = Object.fromEntries([[name, SECRET]])
    expect(parseConfig(MINIMAL.replace('env:GOOD', `env:${name}`), { ...sources, env })).not.toBeInstanceOf(Array)
  },
)

test.each([
  ['https://till.example.com/', 'https://till.example.com', 'https://till.example.com'],
  ['https://Till.Example.com:443/ci', 'https://till.example.com/ci', 'https://till.example.com'],
  ['http://127.0.0.1:4100', 'http://127.0.0.1:4100', 'http://127.0.0.1:4100'],
  ['"http://[::1]:4100/ci"', 'http://[::1]:4100/ci', 'http://[::1]:4100'],
])('public_url %s has the audience of its origin', (written, publicUrl, audience) => {
  expect(good(MINIMAL.replace('https://till.example.com', written))).toMatchObject({ publicUrl, audience })
})

test.each([
  ['"[::1]:4100"', { host: '::1', port: 4100 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
])('listen %s', (written, listen) => {
  expect(good(`listen: ${written}\n${MINIMAL}`).listen).toEqual(listen)
})

test.each(['256.0.0.1:80', '1.2.3:80', '"[::g]:80"', '"127.0.0.1"', '127.0.0.1:65536', ':4100', '4100'])(
  'listen %s is refused',
  (written) => {
    expect(problems(`listen: ${written}\n${MINIMAL}`).map(({ path }) => path)).toEqual(['listen'])
  },
)

test('PostgreSQL is accepted with a master key', () => {
  const storage = 'storage: postgresql://till@db.example.com/till\nmaster_key: env:TILL_MASTER_KEY\n'
  expect(good(storage + MINIMAL).storage).toEqual({
    kind: 'postgresql',
    url: 'postgresql://till@db.example.com/till',
    acceptAsynchronousStandbys: false,
  })
})

test("an issuer's text stays as it is written, since ID tokens are compared with it", () => {
  const { issuers } = good(`issuers: ["https://GHES.example.com:443/_services/token"]\n${MINIMAL}`)
  expect(issuers[0]?.url).toBe('https://GHES.example.com:443/_services/token')
})

test('an issuer that stands there as text and as a map stands there twice', () => {
  const twice = 'issuers: [{ url: https://a.example.com, check_run_id: optional }, https://a.example.com]\n'
  expect(problems(twice + MINIMAL).map(({ path }) => path)).toEqual(['issuers[1]'])
})

test('an alias stands for what its anchor marks', () => {
  const { policies } = good(
    MINIMAL.replace('repository_id: "101"', 'repository_id: &ids ["101", "102"]') +
      '  - { name: second, repository_id: *ids, providers: [openai], activations: 5 }\n',
  )
  expect(policies[1]?.repositoryIds).toEqual(['101', '102'])
})

test('a file of aliases upon aliases is refused before it is unfolded', () => {
  const level = (n: number) =>
    `a${n}: &a${n} [${Array(20)
      .fill(`*a${n - 1}`)
      .join(', ')}]\n`
  const bomb = `a0: &a0 [x]\n${[1, 2, 3, 4, 5, 6].map(level).join('')}`
  expect(problems(bomb).map(({ message }) => message)).toEqual(['expected at most 100 aliases ("*…") in the file'])
})

test.each([
  ['lists in lists', '['.repeat(20_000)],
  ['maps in maps', '{a: '.repeat(20_000)],
  ['more than a megabyte', `# ${'x'.repeat(1_048_576)}`],
])('%s: refused', (_, source) => {
  expect(problems(source)).not.toEqual([])
})

test('a problem is printed with file, line, column and path', () => {
  const [problem] = problems(MINIMAL.replace('50', 'many'))
  expect(problemLine('till.yaml', problem!)).toBe(
    'till.yaml:8:18 policies[0].activations: expected a whole number from 1 to 1000000000, got "many"',
  )
})

test('problems come in the order of their lines', () => {
  const lines = problems(readFileSync(`${here}/broken/unknown-fields.yaml`, 'utf8')).map(({ line }) => line)
  expect(lines).toEqual(lines.toSorted((a, b) => a - b))
})

test.each([
  ['', 1],
  ['workers: 1', 1],
  ['workers: 64', 64],
  ['workers: auto', Math.min(availableParallelism(), 64)],
])('%j: %i processes serve', (line, count) => {
  expect(good(`${MINIMAL}${line}\n`).workers).toBe(count)
})

test('a configuration is the same in a worker that it was sent to', () => {
  const config = good(readFileSync(`${here}/good/contract.yaml`, 'utf8'))
  expect(deserialize(serialize(config))).toStrictEqual(config)
})

test('that a failover may forget commits is accepted by name, on PostgreSQL only', () => {
  const risk = 'storage_risk: accept_asynchronous_standbys\n'
  const storage = 'storage: postgresql://till@db.example.com/till\nmaster_key: env:TILL_MASTER_KEY\n'
  expect(good(storage + risk + MINIMAL).storage).toMatchObject({ acceptAsynchronousStandbys: true })
  expect(problems(risk + MINIMAL)).toMatchObject([{ path: 'storage_risk' }])
})
