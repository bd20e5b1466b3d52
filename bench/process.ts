import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

/** User and system seconds of a process with its threads and children, from /proc. */
export function cpuSeconds(pid: number): number {
  return tree(pid).reduce((sum, one) => {
    const fields = fieldsOf(one)
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }, 0)
}

/** Resident memory of a process with its children, in MiB. */
export function residentMiB(pid: number): number {
  return tree(pid).reduce((sum, one) => {
    const found = /VmRSS:\s+(\d+)/.exec(read(`/proc/${one}/status`))
    return sum + Number(found?.[1] ?? 0) / 1024
  }, 0)
}

/** Ends a process with its children: one that is left would keep the pipes of the benchmark open, and so the benchmark. */
export function killTree(pid: number): void {
  for (const one of tree(pid))
    try {
      process.kill(one, 'SIGKILL')
    } catch {
      // It ended meanwhile.
    }
}

function tree(pid: number): number[] {
  if (!existsSync(`/proc/${pid}/task`)) return []
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).trim().split(' '),
  )
  return [pid, ...children.filter((child) => child !== '').flatMap((child) => tree(Number(child)))]
}

function fieldsOf(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Starts a program on one core, so that contenders and load do not take each other's time. */
export function startOn(
  core: number,
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv } = {},
): ChildProcess {
  return spawn('taskset', ['-c', String(core), command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_ENV: 'production', ...options.env },
  })
}

/** The first line that a program prints. */
export function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    let complaint = ''
    child.stderr?.on('data', (data) => (complaint += data))
    child.stdout?.on('data', (data) => {
      text += data
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
    })
    child.once('exit', (status) => reject(new Error(`${child.spawnargs.join(' ')} ended with ${status}: ${complaint}`)))
  })
}
