import { readFileSync, statSync } from 'node:fs'
import { type Config, type ConfigProblem, type ConfigSources, parseConfig, problemLine } from '#config.ts'
import { Failure } from './failure.ts'

/** Bytes. More is no secret: it is the wrong file. */
const MAX_SECRET_FILE_BYTES = 65_536

/** Which secrets a command needs; a shell of the operator's seldom has them all. */
export type Secrets = NonNullable<ConfigSources['secrets']>

/** Reads the configuration, with what of the environment and of other files it names and the command needs. */
export function readConfigFile(file: string, secrets: Secrets = 'all'): Config | readonly ConfigProblem[] {
  let source: string
  try {
    source = readFileSync(file, 'utf8')
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
  return code === 'ENOENT'
    ? 'there is no such file; `till init` writes one, and --config names another'
    : `cannot read this file (${code})`
}

function readSecretFile(path: string): string {
  if (statSync(path).size > MAX_SECRET_FILE_BYTES) throw Object.assign(new Error('too large'), { code: 'EFBIG' })
  return readFileSync(path, 'utf8')
}
