/**
 * `npm run bench`: what the data plane costs, as ratios, all in one run. Core 0 runs the contender, core 1 the load and
 * the provider; slices alternate, and each contender's slice is paired with those of the others next to it in time, so
 * that a noisy machine disturbs both. The main figure is requests per CPU-second of the whole process tree.
 *
 * Compared are nginx (when it is installed), a bare Node proxy that checks and stores nothing, and with `--rivals` what
 * npm has. Options: `--rounds N` (default 5), `--seconds N` a slice (default 2), `--rivals`, `--plot FOLDER`, `--json`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startIssuer } from '#test/support/issuer.ts'
import { freePort, reachable, startBroker } from './broker.ts'
import { closedLoop, hasWrk, type Target, visit, wrkScript } from './closed-loop.ts'
import { nginxConfiguration } from './contenders/nginx.ts'
import { nginxProvider } from './contenders/nginx-provider.ts'
import { barChart, lineChart } from './plot.ts'
import { cpuSeconds, firstLine, killTree, residentMiB, startOn } from './process.ts'
import { installRivals, rivals } from './rivals.ts'
import { type Bars, verdict } from './verdict.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    rivals: { type: 'boolean', default: false },
    plot: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const ROUNDS = Number(values.rounds)
const SECONDS = Number(values.seconds)
const CONNECTIONS = 64
const RATE = 1000
const PLOTTED_RATES = [250, 500, 1000, 2000, 3000, 4000]
const STREAMS = 32
const CREDENTIAL = 'sk-bench-0123456789abcdefghijklmnopqrstuvwxyz'
const [CONTENDER_CORE, LOAD_CORE] = [0, 1]
const PATH = '/v1/responses'
/** Where the provider streams. */
const STREAM_PATH = '/v1/chat/completions'

interface Contender extends Target {
  readonly name: string
  readonly pid: number
  /** Before the provider's own path. */
  readonly prefix: string
  readonly isRival: boolean
  readonly slices: Slice[]
}

/** One visit to a contender: closed loop, open loop, streams. Microseconds, MiB. */
interface Slice {
  readonly perCpuSecond: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly firstEvent: number
  readonly memory: number
  readonly errors: number
}

/** A figure and its bars; `null`: what it is compared with did not run. */
interface Bar extends Bars {
  readonly figure: string
  readonly value: number | null
}

const folder = mkdtempSync(join(tmpdir(), 'till-bench-'))
const issuer = await startIssuer()
const children: ReturnType<typeof startOn>[] = []
const hasNginx = spawnSync('nginx', ['-v']).error === undefined
const body = JSON.stringify({ model: 'gpt-5', input: 'a'.repeat(990) })
const streamed = JSON.stringify({ model: 'gpt-5', stream: true, events: 20, gap: 5, input: 'hello' })

try {
  if (!hasNginx) console.error('nginx is not installed: no ratios to it (apt-get install nginx-light).')
  if (!hasWrk) console.error('wrk is not installed: the load is of Node, and slower (apt-get install wrk).')
  const contenders = await start()
  for (const contender of contenders) closed(contender, 3)
  for (let round = 0; round < ROUNDS; round++)
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed())
      contender.slices.push(slice(contender))
  const bars = judge(contenders)
  if (values.plot) plot(values.plot, contenders)
  const loop = steadiness()
  if (values.json) console.log(JSON.stringify({ contenders: contenders.map(row), bars, loop }, null, 2))
  else {
    print(contenders, bars)
    console.log(`\nA loop of arithmetic alone, each ms: p99 ${loop.p99} × its median, at worst ${loop.worst} ×.`)
  }
  const errors = contenders.filter(({ isRival }) => !isRival).flatMap(({ slices }) => slices.map((one) => one.errors))
  if (errors.some((count) => count > 0)) process.exitCode = 1
} finally {
  for (const { pid } of children) if (pid !== undefined) killTree(pid)
  await issuer.close()
  rmSync(folder, { recursive: true, force: true })
}

async function start(): Promise<Contender[]> {
  const stub = startOn(LOAD_CORE, process.execPath, [join(import.meta.dirname, 'stub.ts'), CREDENTIAL])
  children.push(stub)
  const stubPort = Number(await firstLine(stub))
  const providerPort = hasNginx
    ? (await startNginx(LOAD_CORE, (port) => nginxProvider(folder, port, stubPort, CREDENTIAL))).port
    : stubPort
  const at = { core: CONTENDER_CORE, providerPort, credential: CREDENTIAL }
  const contenders: Contender[] = []
  const add = (name: string, pid: number, port: number, part: Partial<Contender> = {}) =>
    contenders.push({ name, pid, port, path: PATH, prefix: '', headers: [], isRival: false, slices: [], ...part })

  if (hasNginx) {
    const nginx = await startNginx(CONTENDER_CORE, (port) => nginxConfiguration(folder, port, providerPort, CREDENTIAL))
    add('nginx', nginx.pid, nginx.port)
  }
  const broker = await startBroker({ ...at, folder: join(folder, 'broker'), issuer })
  children.push(broker.child)
  add('Till', broker.pid, broker.port, { prefix: broker.path, headers: broker.headers })
  const bare = startOn(CONTENDER_CORE, process.execPath, [
    join(import.meta.dirname, 'contenders/bare-node.ts'),
    String(providerPort),
    CREDENTIAL,
  ])
  children.push(bare)
  add('bare Node', bare.pid!, Number(await firstLine(bare)))
  if (values.rivals) {
    installRivals()
    for (const rival of rivals) {
      const { child, port, headers } = await rival.start(at)
      children.push(child)
      add(rival.name, child.pid!, port, { headers, isRival: true })
    }
  }
  return contenders
}

async function startNginx(core: number, configuration: (port: number) => string) {
  const port = await freePort()
  const file = join(folder, `nginx-${port}.conf`)
  writeFileSync(file, configuration(port))
  const child = startOn(core, 'nginx', ['-c', file])
  children.push(child)
  await reachable(port)
  return { port, pid: child.pid! }
}

function closed(contender: Contender, seconds: number) {
  const target = { ...contender, path: contender.prefix + PATH }
  const load = { connections: CONNECTIONS, seconds }
  if (!hasWrk) return visit(LOAD_CORE, target, { mode: 'closed', body, ...load })
  const script = join(folder, `${contender.port}.lua`)
  writeFileSync(script, wrkScript(target, body))
  return closedLoop(LOAD_CORE, target, { script, ...load })
}

function open(contender: Contender, rate: number) {
  const target = { ...contender, path: contender.prefix + PATH }
  return visit(LOAD_CORE, target, { mode: 'open', connections: CONNECTIONS, seconds: 1, rate, body })
}

function slice(contender: Contender): Slice {
  const before = cpuSeconds(contender.pid)
  const { requests, perSecond, errors } = closed(contender, SECONDS)
  const cpu = cpuSeconds(contender.pid) - before
  if (contender.isRival)
    return {
      perCpuSecond: requests / cpu,
      perSecond,
      p50: 0,
      p99: 0,
      firstEvent: 0,
      memory: residentMiB(contender.pid),
      errors,
    }
  const paced = open(contender, RATE)
  const streams = visit(
    LOAD_CORE,
    { ...contender, path: contender.prefix + STREAM_PATH },
    { mode: 'streams', connections: STREAMS, seconds: 1, body: streamed },
  )
  return {
    perCpuSecond: requests / cpu,
    perSecond,
    p50: paced.p50,
    p99: paced.p99,
    firstEvent: streams.firstEventP50,
    memory: residentMiB(contender.pid),
    errors: errors + paced.errors + streams.errors,
  }
}

/** Figures of Till against another one: medians over slices that stood next to each other in time. */
function judge(contenders: readonly Contender[]): Bar[] {
  const till = contenders.find(({ name }) => name === 'Till')!
  const paired = (to: string, of: (ours: Slice, theirs: Slice) => number): number | null => {
    const other = contenders.find(({ name }) => name === to)
    return other ? median(till.slices.map((ours, i) => of(ours, other.slices[i]!))) : null
  }
  const perCpuSecond = (ours: Slice, theirs: Slice) => ours.perCpuSecond / theirs.perCpuSecond
  return [
    {
      figure: '÷ nginx, requests per CPU-second',
      value: paired('nginx', perCpuSecond),
      unit: '×',
      floor: 0.22,
      aim: 0.35,
    },
    {
      figure: '÷ bare Node, requests per CPU-second',
      value: paired('bare Node', perCpuSecond),
      unit: '×',
      floor: 0.85,
      aim: 1.2,
    },
    {
      figure: '÷ Portkey gateway, requests/s',
      value: paired('Portkey gateway', (a, b) => a.perSecond / b.perSecond),
      unit: '×',
      floor: 10,
      aim: 15,
    },
    {
      figure: '÷ codex responses-api-proxy, requests per CPU-second',
      value: paired('codex responses-api-proxy', perCpuSecond),
      unit: '×',
      floor: 2.2,
      aim: 3.5,
    },
    {
      figure: '÷ http-proxy-3, requests per CPU-second',
      value: paired('http-proxy-3', perCpuSecond),
      unit: '×',
      floor: 0,
      aim: 0,
    },
    {
      figure: '÷ @fastify/reply-from, requests per CPU-second',
      value: paired('@fastify/reply-from', perCpuSecond),
      unit: '×',
      floor: 0,
      aim: 0,
    },
    {
      figure: `p50 over nginx at ${RATE}/s`,
      value: paired('nginx', (a, b) => a.p50 - b.p50),
      unit: 'µs',
      floor: 3 * flushP50(),
      aim: 500,
    },
    {
      figure: `p99 over nginx at ${RATE}/s`,
      value: paired('nginx', (a, b) => a.p99 - b.p99),
      unit: 'µs',
      floor: 4000,
      aim: 2000,
    },
    {
      figure: `first event over nginx, ${STREAMS} streams, p50`,
      value: paired('nginx', (a, b) => a.firstEvent - b.firstEvent),
      unit: 'µs',
      floor: 6000,
      aim: 3000,
    },
  ]
}

/** How evenly the contender's core works by itself, as multiples of a median: no p99 is steadier than that. */
function steadiness(): { readonly p99: number; readonly worst: number } {
  const script = join(import.meta.dirname, 'steadiness.ts')
  const args = ['-c', String(CONTENDER_CORE), process.execPath, script, '5']
  return JSON.parse(spawnSync('taskset', args, { encoding: 'utf8' }).stdout)
}

/** This disk's `fdatasync` after 4 KB, in microseconds, in the folder that holds the ledger. */
function flushP50(): number {
  const { stdout } = spawnSync(process.execPath, [join(import.meta.dirname, 'flush.ts'), folder], { encoding: 'utf8' })
  return Number(stdout)
}

function row({ name, slices, isRival }: Contender) {
  const of = (field: keyof Slice) => median(slices.map((one) => one[field]))
  const latency = (field: keyof Slice) => (isRival ? null : of(field))
  return {
    name,
    perCpuSecond: Math.round(of('perCpuSecond')),
    perSecond: Math.round(of('perSecond')),
    p50: latency('p50'),
    p99: latency('p99'),
    firstEvent: latency('firstEvent'),
    memory: Math.round(of('memory')),
    errors: slices.reduce((sum, { errors }) => sum + errors, 0),
  }
}

function print(contenders: readonly Contender[], bars: readonly Bar[]): void {
  console.log(
    `\n${CONNECTIONS} connections, 1 KB POST, keep-alive; latency at ${RATE}/s; ${STREAMS} streams at once; ${ROUNDS} rounds\n`,
  )
  console.log('| | requests per CPU-second | requests/s | p50 µs | p99 µs | first event p50 µs | MiB | errors |')
  console.log('|---|---|---|---|---|---|---|---|')
  for (const contender of contenders) {
    const { name, perCpuSecond, perSecond, p50, p99, firstEvent, memory, errors } = row(contender)
    const cells = [name, perCpuSecond, perSecond, p50 ?? '', p99 ?? '', firstEvent ?? '', memory, errors]
    console.log(`| ${cells.join(' | ')} |`)
  }
  console.log('\n| Till | now | floor | aim | |\n|---|---|---|---|---|')
  for (const { figure, value, ...bar } of bars) {
    if (value === null) continue
    const { unit, floor, aim } = bar
    const text = (number: number) =>
      unit === 'µs' ? `${Math.round(number)} µs` : number === 0 ? '' : number.toFixed(number < 5 ? 2 : 1)
    console.log(`| ${figure} | ${text(value)} | ${text(floor)} | ${text(aim)} | ${verdict(value, bar)} |`)
  }
}

/** Writes `throughput.svg` and `latency.svg`. */
function plot(into: string, contenders: readonly Contender[]): void {
  const bars = contenders.map((contender) => [contender.name, row(contender).perCpuSecond] as const)
  writeFileSync(join(into, 'throughput.svg'), barChart('Requests per CPU-second, 64 connections, 1 KB POST', bars))
  const lines = contenders
    .filter(({ isRival }) => !isRival)
    .flatMap((contender) => {
      const visits = PLOTTED_RATES.map((rate) => open(contender, rate))
      const at = (field: 'p50' | 'p99') => visits.map((one, i) => [PLOTTED_RATES[i]!, one[field] / 1000] as const)
      return [
        { name: `${contender.name} p50`, points: at('p50'), isDashed: false },
        { name: `${contender.name} p99`, points: at('p99'), isDashed: true },
      ]
    })
  writeFileSync(join(into, 'latency.svg'), lineChart('Latency over rate, open loop', 'requests/s', 'ms', lines))
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)]!
}
