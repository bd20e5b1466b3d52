import {
  type Config,
  type ConfigProblem,
  type ConfigSources,
  parseConfig,
  problemLine,
  readConfigText,
  readSecretFile,
} from '#config.ts'
import { Failure } from './failure.ts'

/** Which secrets a command needs; a shell of the operator's seldom has them all. */
export type Secrets = NonNullable<ConfigSources['secrets']>

/** Reads the configuration, with what of the environment and of other files it names and the command needs. */
export function readConfigFile(file: string, secrets: Secrets = 'all'): Config | readonly ConfigProblem[] {
  let source: string
  try {
    source = readConfigText(file)
  } catch (error) {
    return [{ line: 0, column: 0, path: '', message: cannotRead(error) }]
  }
  return parseConfig(source, { file, env: process.env, readFile: readSecretFile, secrets })
}

/** @throws {Failure} with every problem, one a line */
export function loadConfig(file: string, secrets: Secrets = 'all'): Config {
  const config = readConfigFile(file, secrets)
  if (isConfig(config)) return config
  throw new Failure(problemLines(file, config).join('\n'))
}

export function isConfig(read: Config | readonly ConfigProblem[]): read is Config {
  return !Array.isArray(read)
}

export function problemLines(file: string, problems: readonly ConfigProblem[]): string[] {
  return problems.map((problem) => problemLine(file, problem))
}

function cannotRead(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return READ_FAULTS[code ?? ''] ?? `cannot read this file (${code})`
}

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; `till init` writes one, and --config names another',
  ENOTREG: 'expected a regular file or a pipe, got a device',
  EFBIG: 'this file is too large for a configuration',
}
