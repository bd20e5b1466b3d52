import { readFileSync } from 'node:fs'
import { url as inspectorUrl } from 'node:inspector'
import type { Log } from '#broker/ports.ts'
import { StartError } from './start-error.ts'

/** What of the process decides whether others can read its memory. */
export interface ProcessSettings {
  readonly execArgv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isInspected: boolean
}

export function ownSettings(): ProcessSettings {
  return { execArgv: process.execArgv, env: process.env, isInspected: inspectorUrl() !== undefined }
}

/** Options of Node, without `no-` and values, and what is wrong with them (SECURITY, T39). */
const FORBIDDEN: readonly (readonly [option: RegExp, harm: string])[] = [
  [/^--inspect/, 'whoever reaches an inspector reads every credential'],
  [/^--report-(?:on-fatalerror|on-signal|uncaught-exception)$/, 'a report holds the environment and what is in memory'],
  [/^--heapsnapshot-/, 'a heap snapshot holds every credential'],
  [/^--abort-on-uncaught-exception$/, 'the core file of a crash holds every credential'],
  [/^--(?:tls-keylog|trace-tls)$/, 'it lets others read what is sent to providers'],
]

/** Variables that have Node write what it does to standard error, whatever it holds. An empty one does nothing. */
const TELLTALE = ['NODE_DEBUG', 'NODE_DEBUG_NATIVE']

/**
 * Refuses to start where memory or traffic is open to others.
 *
 * @throws {StartError}
 */
export function processKeepsSecrets({ execArgv, env, isInspected }: ProcessSettings): void {
  if (isInspected)
    throw new StartError(
      'Cannot start with an open inspector, since it shows every credential. Start without --inspect.',
    )
  for (const option of [...execArgv, ...optionsIn(env['NODE_OPTIONS'])].map(plain))
    for (const [forbidden, harm] of FORBIDDEN)
      if (forbidden.test(option)) throw new StartError(`Cannot start with ${option}: ${harm}. Start without it.`)
  for (const name of TELLTALE)
    if (env[name])
      throw new StartError(
        `Cannot start with ${name}: Node would write credentials into the log, with the environment of the workers or what is sent. Start without it.`,
      )
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    throw new StartError(
      'Cannot start with NODE_TLS_REJECT_UNAUTHORIZED=0: anybody on the way could take the credentials. Remove it, and name a private authority in NODE_EXTRA_CA_CERTS.',
    )
}

/**
 * Closes what can be closed from inside, and tells the operator what cannot: new files are the broker's alone, and a
 * report, if one is ever made, holds no environment.
 */
export function keepProcessPrivate(log: Log, settings: ProcessSettings = ownSettings(), limits = ownLimits()): void {
  process.umask(0o077)
  if (process.report) process.report.excludeEnv = true
  const options = [...settings.execArgv, ...optionsIn(settings.env['NODE_OPTIONS'])].map(plain)
  if (!options.includes('--disable-sigusr1'))
    log.warn('process.exposed', { problem: 'SIGUSR1 opens the inspector: start node with --disable-sigusr1' })
  // Columns of proc(5): name, soft limit, hard limit, unit.
  const core = /^Max core file size +(\S+)/m.exec(limits)?.[1]
  if (core !== undefined && core !== '0')
    log.warn('process.exposed', { problem: 'a crash may write a core file: start it under `ulimit -c 0`' })
}

/** Empty where the system does not tell. */
function ownLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1')
  } catch {
    return ''
  }
}

function optionsIn(nodeOptions: string | undefined): readonly string[] {
  return (nodeOptions ?? '').split(/[\s"]+/)
}

/** Node takes `_` for `-`, and a value behind `=`. */
function plain(option: string): string {
  return option.replace(/=.*$/s, '').replaceAll('_', '-')
}
