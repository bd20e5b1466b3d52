import { type ChildProcessWithoutNullStreams, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'

const CLI = join(import.meta.dirname, '../../src/cli/till.ts')
const COMMAND: readonly string[] = [process.execPath, '--disable-sigusr1', CLI]

export interface Run {
  /** `null`: ended by a signal. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** Standard input; none unless given. */
  readonly input?: string
}

/** A command that goes on until it is told to stop. */
export interface Running {
  readonly process: ChildProcessWithoutNullStreams
  /** Resolves when the output so far holds this text. */
  until(text: string): Promise<void>
  /** Sends a signal and resolves when the process has ended. */
  end(signal: NodeJS.Signals): Promise<Run>
}

/** Runs the command line as a process, as `npm run till --` does, without the environment of the tests. */
export async function runTill(args: readonly string[], options: RunOptions): Promise<Run> {
  const running = startTill(args, options)
  running.process.stdin.end(options.input ?? '')
  return running.ended
}

export function startTill(
  args: readonly string[],
  { cwd, env }: RunOptions,
): Running & { readonly ended: Promise<Run> } {
  const child = spawn(COMMAND[0]!, [...COMMAND.slice(1), ...args], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  const ended = once(child, 'close').then(([status]): Run => ({ status, ...output }))
  return {
    process: child,
    ended,
    async until(text) {
      while (!`${output.stdout}${output.stderr}`.includes(text)) {
        const event = await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), ended])
        if ('status' in event && !`${output.stdout}${output.stderr}`.includes(text))
          throw new Error(`till ended before it said ${JSON.stringify(text)}:\n${output.stdout}${output.stderr}`)
      }
    },
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}

/** For {@link runShell}: takes longer than a command needs to start, on whatever machine. */
export const TWO_STARTS = 'for i in 1 2; do till check; done > /dev/null 2>&1'

/** Runs a line of a shell in which `till` is the command; `null` for the status when the shell was ended by a signal. */
export async function runShell(line: string, { cwd, env }: RunOptions): Promise<Run> {
  const till = `till() { ${COMMAND.map((word) => `'${word}'`).join(' ')} "$@"; }`
  const child = spawn('bash', ['--norc', '-c', `${till}; ${line}`], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
    // Standard input that is a socket would be a remote shell to bash, which then reads files of the user's.
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  const [status] = await once(child, 'close')
  return { status, ...output }
}

export interface TerminalRun {
  readonly shown: string
  /** A signal's number as a negative one. */
  readonly status: number
  /** Whether the terminal was left as it was found, with echo. */
  readonly isAsBefore: boolean
}

export const hasTerminals = spawnSync('python3', ['-c', 'import pty, termios']).status === 0

/** Runs the command line on a terminal, and presses keys when it shows the cue. Needs python3, which has terminals. */
export async function runOnTerminal(
  args: readonly string[],
  { cwd, cue, keys }: { readonly cwd: string; readonly cue: string; readonly keys: string },
): Promise<TerminalRun> {
  const script = join(import.meta.dirname, 'terminal.py')
  const { stdout } = await promisify(execFile)('python3', [script, cue, keys, ...COMMAND, ...args], { cwd })
  return JSON.parse(stdout)
}
