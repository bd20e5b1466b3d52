import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A folder of their own, so that no file of ours stands below this package.json. */
const PACKAGES = join(import.meta.dirname, 'packages')
/** Outside the main lockfile and outside git: the agents are 1.2 GB. */
const FOLDER = join(import.meta.dirname, '../../.agents')
const LOCKFILE = 'package-lock.json'

/**
 * What two of the packages would do after their installation: put the binary of this platform, which came as an
 * optional dependency, where the command is expected. No other script of any package runs.
 */
const PLACEMENTS = ['@anthropic-ai/claude-code/install.cjs', 'opencode-ai/postinstall.mjs']

/**
 * Installs the agents that `packages/package-lock.json` names, unless they are there.
 *
 * @returns the folder of their commands
 */
export function installAgents(): string {
  const lock = readFileSync(join(PACKAGES, LOCKFILE), 'utf8')
  const mark = join(FOLDER, 'installed')
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== lock) {
    console.log('Installing the agents (once).')
    rmSync(mark, { force: true })
    mkdirSync(FOLDER, { recursive: true })
    for (const file of ['package.json', LOCKFILE]) copyFileSync(join(PACKAGES, file), join(FOLDER, file))
    // Not `npm ci`: it wants the binaries of all platforms in the lockfile, and not every registry has them all.
    run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
    for (const script of PLACEMENTS) run(process.execPath, [join('node_modules', script)])
    writeFileSync(mark, lock)
  }
  return join(FOLDER, 'node_modules/.bin')
}

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: FOLDER, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error(`Cannot install the agents: ${command} ${args[0]} ended with ${status ?? error}`)
}
