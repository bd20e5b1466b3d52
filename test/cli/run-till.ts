import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const CLI = join(import.meta.dirname, '../../src/cli/till.ts')

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
  const child = spawn(process.execPath, ['--disable-sigusr1', CLI, ...args], {
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
