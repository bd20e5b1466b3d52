import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** What a visit to a contender found. */
export interface Visit {
  readonly requests: number
  readonly errors: number
  readonly perSecond: number
  /** Microseconds; of the open loop and of streams. */
  readonly p50: number
  readonly p99: number
  readonly firstEventP50: number
}

export interface Target {
  readonly port: number
  readonly path: string
  /** Lines of the request's head. */
  readonly headers: readonly string[]
}

export const hasWrk = spawnSync('wrk', ['-v']).error === undefined

/** Load of our own: `closed`, `open` or `streams` (see `load.ts`). */
export function visit(
  core: number,
  target: Target,
  load: { mode: 'closed' | 'open' | 'streams'; connections: number; seconds: number; rate?: number; body: string },
): Visit {
  const { port, path, headers } = target
  return printed(core, process.execPath, [
    join(import.meta.dirname, 'load.ts'),
    JSON.stringify({ port, path, headers, ...load }),
  ])
}

/** As fast as answers come, by `wrk`: it takes less of its core than Node, so that the contender is what is measured. */
export function closedLoop(
  core: number,
  target: Target,
  load: { connections: number; seconds: number; script: string },
): Visit {
  const url = `http://127.0.0.1:${target.port}${target.path}`
  return printed(core, 'wrk', ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '-s', load.script, url])
}

/** What `wrk` is to send, and to print at the end. */
export function wrkScript({ headers }: Target, body: string): string {
  const lines = headers.map((line) => {
    const colon = line.indexOf(':')
    return `wrk.headers[${JSON.stringify(line.slice(0, colon))}] = ${JSON.stringify(line.slice(colon + 1).trim())}`
  })
  return `wrk.method = "POST"
wrk.body = [==[${body}]==]
wrk.headers["content-type"] = "application/json"
${lines.join('\n')}
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%d,"errors":%d,"perSecond":%.1f,"p50":%d,"p99":%d,"firstEventP50":0}\\n',
    summary.requests, e.status + e.connect + e.read + e.write + e.timeout, summary.requests / (summary.duration / 1e6),
    latency:percentile(50), latency:percentile(99)))
end
`
}

function printed(core: number, command: string, args: readonly string[]): Visit {
  const { stdout, stderr } = spawnSync('taskset', ['-c', String(core), command, ...args], { encoding: 'utf8' })
  const last = stdout.trim().split('\n').at(-1)
  if (!last?.startsWith('{')) throw new Error(`The load failed: ${stderr}${stdout}`)
  return JSON.parse(last)
}
