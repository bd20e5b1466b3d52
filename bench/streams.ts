/**
 * `node bench/streams.ts`: streams of 50 events, 100 ms apart, 32 and 1,000 and 5,000 of them at once: whether all
 * finish, how much memory each takes, and how much of a core. Options: `--streams 32,1000,5000`, `--json`.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { startIssuer } from '#test/support/issuer.ts'
import { startBroker } from './broker.ts'
import { cpuSeconds, firstLine, residentMiB, startOn } from './process.ts'

const { values } = parseArgs({
  options: { streams: { type: 'string', default: '32,1000,5000' }, json: { type: 'boolean', default: false } },
})
const CREDENTIAL = 'sk-bench-0123456789abcdefghijklmnopqrstuvwxyz'
const [BROKER_CORE, LOAD_CORE] = [0, 1]
const MOST_KILOBYTES = 60
const folder = mkdtempSync(join(tmpdir(), 'till-bench-'))
const issuer = await startIssuer()
const body = JSON.stringify({ model: 'gpt-5', stream: true, events: 50, gap: 100, input: 'hello' })
const rows = []

try {
  for (const streams of values.streams.split(',').map(Number)) rows.push(await measure(streams))
} finally {
  await issuer.close()
  rmSync(folder, { recursive: true, force: true })
}
if (values.json) console.log(JSON.stringify(rows, null, 2))
else {
  console.log(
    '| streams | finished | KB a stream | share of a core | first event p50 | p99 |\n|---|---|---|---|---|---|',
  )
  for (const { streams, finished, kilobytes, share, p50, p99 } of rows)
    console.log(
      `| ${streams} | ${finished} | ${kilobytes.toFixed(0)} | ${(100 * share).toFixed(0)}% | ${p50} ms | ${p99} ms |`,
    )
}
if (
  rows.some(({ streams, finished, kilobytes }) => finished < streams || (streams >= 1000 && kilobytes > MOST_KILOBYTES))
)
  process.exitCode = 1

async function measure(streams: number) {
  const provider = startOn(LOAD_CORE, process.execPath, [join(import.meta.dirname, 'stub.ts'), CREDENTIAL])
  const broker = await startBroker({
    core: BROKER_CORE,
    folder: join(folder, String(streams)),
    issuer,
    providerPort: Number(await firstLine(provider)),
    credential: CREDENTIAL,
  })
  try {
    const load = (count: number, text: string, seconds: number, mode: string) =>
      run({
        ...broker,
        child: null,
        path: `${broker.path}/v1/responses`,
        mode,
        connections: count,
        seconds,
        body: text,
      })
    // What is compiled and allocated once is none of a stream's.
    await load(64, JSON.stringify({ model: 'gpt-5', input: 'a'.repeat(900) }), 3, 'closed')
    await load(64, JSON.stringify({ model: 'gpt-5', stream: true, events: 5, gap: 20 }), 2, 'streams')
    const idle = residentMiB(broker.pid)
    let peak = idle
    const watch = setInterval(() => {
      peak = Math.max(peak, residentMiB(broker.pid))
    }, 200)
    const cpu = cpuSeconds(broker.pid)
    const began = performance.now()
    const result = await load(streams, body, 1, 'once')
    clearInterval(watch)
    const milliseconds = (microseconds: number) => Math.round(microseconds / 1000)
    return {
      streams,
      finished: result.requests,
      kilobytes: ((peak - idle) * 1024) / streams,
      share: (cpuSeconds(broker.pid) - cpu) / ((performance.now() - began) / 1000),
      p50: milliseconds(result.firstEventP50),
      p99: milliseconds(result.firstEventP99),
    }
  } finally {
    provider.kill('SIGKILL')
    broker.child.kill('SIGKILL')
  }
}

async function run(load: object) {
  const { stdout } = await promisify(execFile)('taskset', [
    '-c',
    String(LOAD_CORE),
    process.execPath,
    join(import.meta.dirname, 'load.ts'),
    JSON.stringify(load),
  ])
  return JSON.parse(stdout)
}
