/**
 * `npm run bench`: what the data plane costs, as ratios to nginx (when it is installed) and to a bare Node proxy, all in
 * one run. Core 0 runs the contender, core 1 the load and the provider; slices alternate, and each contender's slice is
 * paired with those of its neighbours in time. Options: `--rounds N` (default 5), `--seconds N` a slice (default 2),
 * `--json`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startIssuer } from '#test/support/issuer.ts'
import { nginxConfiguration } from './contenders/nginx.ts'
import { cpuSeconds, firstLine, residentMiB, startOn } from './process.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
})
const ROUNDS = Number(values.rounds)
const SECONDS = Number(values.seconds)
const CONNECTIONS = 64
const RATE = 1000
const STREAMS = 32
const CREDENTIAL = 'sk-bench-0123456789abcdefghijklmnopqrstuvwxyz'
const [CONTENDER_CORE, LOAD_CORE] = [0, 1]

interface Contender {
  readonly name: string
  readonly pid: number
  readonly port: number
  readonly path: string
  readonly authorization: string
  readonly slices: Slice[]
}

/** One visit to a contender: closed loop, open loop, streams. Microseconds, MiB. */
interface Slice {
  readonly perCpuSecond: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly firstEventP50: number
  readonly memory: number
  readonly errors: number
}

const folder = mkdtempSync(join(tmpdir(), 'till-bench-'))
const issuer = await startIssuer()
const children: ReturnType<typeof startOn>[] = []
const here = import.meta.dirname

try {
  const contenders = await start()
  const body = JSON.stringify({ model: 'gpt-5', input: 'a'.repeat(900) })
  const streamed = JSON.stringify({ model: 'gpt-5', stream: true, events: 20, gap: 5, input: 'hello' })
  for (const contender of contenders) measure(contender, 'closed', body, 1)
  for (let round = 0; round < ROUNDS; round++)
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const before = cpuSeconds(contender.pid)
      const closed = measure(contender, 'closed', body, SECONDS)
      const cpu = cpuSeconds(contender.pid) - before
      const open = measure(contender, 'open', body, 1)
      const streams = measure(contender, 'streams', streamed, 1)
      contender.slices.push({
        perCpuSecond: closed.requests / cpu,
        perSecond: closed.perSecond,
        p50: open.p50,
        p99: open.p99,
        firstEventP50: streams.firstEventP50,
        memory: residentMiB(contender.pid),
        errors: closed.errors + open.errors + streams.errors,
      })
    }
  print(contenders)
  if (contenders.some((contender) => contender.slices.some((slice) => slice.errors > 0))) process.exitCode = 1
} finally {
  for (const child of children) child.kill('SIGKILL')
  await issuer.close()
  rmSync(folder, { recursive: true, force: true })
}

async function start(): Promise<Contender[]> {
  const provider = startOn(LOAD_CORE, process.execPath, [join(here, 'stub.ts'), CREDENTIAL])
  children.push(provider)
  const providerPort = Number(await firstLine(provider))
  const bare = startOn(CONTENDER_CORE, process.execPath, [
    join(here, 'contenders/bare-node.ts'),
    String(providerPort),
    CREDENTIAL,
  ])
  children.push(bare)
  const plain = { path: '/v1/responses', authorization: 'Bearer any' }
  const contenders: Contender[] = [
    { name: 'Till', ...(await startBroker(providerPort)), slices: [] },
    { name: 'bare Node', pid: bare.pid!, port: Number(await firstLine(bare)), ...plain, slices: [] },
  ]
  if (spawnSync('nginx', ['-v']).status === 0) {
    const port = 20_000 + Math.floor(Math.random() * 20_000)
    writeFileSync(join(folder, 'nginx.conf'), nginxConfiguration(folder, port, providerPort, CREDENTIAL))
    const nginx = startOn(CONTENDER_CORE, 'nginx', ['-c', join(folder, 'nginx.conf')])
    children.push(nginx)
    await reachable(port)
    contenders.unshift({ name: 'nginx', pid: nginx.pid!, port, ...plain, slices: [] })
  } else console.error('nginx is not installed: no ratios to it (apt-get install nginx-light).')
  return contenders
}

/** The whole path: real ID token, policy, scope with a model, SQLite with every charge on disk. */
async function startBroker(providerPort: number) {
  const port = 40_000 + Math.floor(Math.random() * 10_000)
  const file = join(folder, 'till.yaml')
  writeFileSync(
    file,
    `public_url: http://127.0.0.1:${port}
listen: 127.0.0.1:${port}
admin_listen: 127.0.0.1:0
storage: sqlite:${join(folder, 'data/till.db')}
issuers: [${JSON.stringify(issuer.url)}]
providers:
  openai: { origin: "http://127.0.0.1:${providerPort}", credential: env:BENCH_CREDENTIAL }
policies:
  - name: bench
    repository_id: "101"
    providers: [openai]
    activations: 1000000000
    models: ["gpt-5"]
    limits: { concurrent_requests: 4096 }
`,
  )
  const broker = startOn(
    CONTENDER_CORE,
    process.execPath,
    ['--disable-sigusr1', join(here, '../src/cli/till.ts'), 'serve', '--config', file],
    { env: { BENCH_CREDENTIAL: CREDENTIAL } },
  )
  children.push(broker)
  broker.stderr?.resume()
  broker.stdout?.resume()
  await reachable(port)
  const minted = await fetch(`http://127.0.0.1:${port}/v1/keys`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await issuer.token({ aud: `http://127.0.0.1:${port}` })}`,
      'content-type': 'application/json',
    },
    body: '{"providers":["openai"]}',
  })
  if (minted.status !== 201) throw new Error(`The broker minted no key: ${await minted.text()}`)
  const { key } = (await minted.json()) as { key: string }
  return { pid: broker.pid!, port, path: '/proxy/openai/v1/responses', authorization: `Bearer ${key}` }
}

async function reachable(port: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`Nothing listens on port ${port} after 10 s`)
}

function measure(contender: Contender, mode: 'closed' | 'open' | 'streams', body: string, seconds: number) {
  const { port, path, authorization } = contender
  const connections = mode === 'streams' ? STREAMS : CONNECTIONS
  const load = JSON.stringify({ mode, port, path, authorization, connections, seconds, rate: RATE, body })
  const { stdout, stderr } = spawnSync(
    'taskset',
    ['-c', String(LOAD_CORE), process.execPath, join(here, 'load.ts'), load],
    {
      encoding: 'utf8',
    },
  )
  if (stdout === '') throw new Error(`The load failed: ${stderr}`)
  return JSON.parse(stdout)
}

function print(contenders: readonly Contender[]): void {
  const rows = contenders.map(({ name, slices }) => {
    const of = (field: keyof Slice) => median(slices.map((slice) => slice[field]))
    return {
      name,
      perCpuSecond: of('perCpuSecond'),
      perSecond: of('perSecond'),
      p50: of('p50'),
      p99: of('p99'),
      firstEventP50: of('firstEventP50'),
      memory: of('memory'),
    }
  })
  const till = contenders.find(({ name }) => name === 'Till')!
  const ratios = contenders
    .filter((other) => other !== till)
    .map((other) => ({
      to: other.name,
      perCpuSecond: median(till.slices.map((slice, i) => slice.perCpuSecond / other.slices[i]!.perCpuSecond)),
      addedP50: median(till.slices.map((slice, i) => slice.p50 - other.slices[i]!.p50)),
      addedP99: median(till.slices.map((slice, i) => slice.p99 - other.slices[i]!.p99)),
      addedFirstEvent: median(till.slices.map((slice, i) => slice.firstEventP50 - other.slices[i]!.firstEventP50)),
    }))
  if (values.json) {
    console.log(JSON.stringify({ rows, ratios }, null, 2))
    return
  }
  console.log(`\n${CONNECTIONS} connections, 1 KB POST, keep-alive; latency at ${RATE}/s; ${STREAMS} streams at once\n`)
  console.log(
    '| | requests per CPU-second | requests/s | p50 µs | p99 µs | first event p50 µs | MiB |\n|---|---|---|---|---|---|---|',
  )
  for (const row of rows)
    console.log(
      `| ${row.name} | ${Math.round(row.perCpuSecond)} | ${Math.round(row.perSecond)} | ${row.p50} | ${row.p99} | ${row.firstEventP50} | ${Math.round(row.memory)} |`,
    )
  console.log('\n| Till ÷ | requests per CPU-second | p50 | p99 | first event |\n|---|---|---|---|---|')
  for (const ratio of ratios)
    console.log(
      `| ${ratio.to} | ${ratio.perCpuSecond.toFixed(2)} | ${signed(ratio.addedP50)} | ${signed(ratio.addedP99)} | ${signed(ratio.addedFirstEvent)} |`,
    )
}

function signed(microseconds: number): string {
  return `${microseconds < 0 ? '−' : '+'}${Math.abs(microseconds)} µs`
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)]!
}
