import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { StepError } from '#action/step-error.ts'
import type { AgentFile, Contents } from './agent.ts'
import { type AgentName, agents } from './agents.ts'
import type { Job, Ours } from './ours.ts'

/** What post needs to put a file back, for its state: the rest stands in the file. */
export interface HomeFile {
  readonly agent: AgentName
  /** Where it is: links are followed once, by main. */
  readonly path: string
}

const MOST_BYTES = 1024 * 1024

/**
 * The files of these agents, none of which is changed. To be asked before there is a key.
 *
 * @throws {StepError} when what stands in one could not be kept
 */
export function homeFiles(names: readonly AgentName[]): HomeFile[] {
  return names
    .filter((agent) => fileOf(agent) !== undefined)
    .map((agent) =>
      named(agent, 'be kept', () => {
        const path = resolve(join(homedir(), fileOf(agent)!.path))
        contents(agent, load(path))
        return { agent, path }
      }),
    )
}

/**
 * Adds what the agent needs to its file, for the job of this key. What jobs left that are over is taken out.
 *
 * @throws {StepError} when it cannot; the file is as it was
 */
export function write({ agent, path }: HomeFile, key: Pick<Job, 'key' | 'base' | 'expires'>): void {
  named(agent, 'be written', () => {
    const former = load(path)
    const { own, ours } = contents(agent, former)
    const made = ours?.made ?? (former ? 'nothing' : existsSync(dirname(path)) ? 'file' : 'folder')
    const job = { ...key, alive: aliveFile(key.key) }
    writeFileSync(job.alive, '')
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    replace(path, fileOf(agent)!.write(own, { made, jobs: [...others(ours, key.key), job] }), former)
  })
}

/**
 * Takes out of a file what was added for this key. The last job that leaves puts it back, byte for byte where nobody
 * else changed it, or removes what was not there before.
 *
 * @returns why something of Till is still in it, or nothing had to be done; `null` when it was put back
 * @throws when it cannot; the file is as it was
 */
export function restore({ agent, path }: HomeFile, key: string): string | null {
  rmSync(aliveFile(key), { force: true })
  const former = load(path)
  if (former === null) return 'it was removed'
  const file = fileOf(agent)!
  const found = file.read(former.text)
  if (found === null) return `it is not ${file.format} any more`
  const { own, ours } = found
  if (!ours?.jobs.some((job) => job.key === key)) return 'what this step added is not in it any more'
  const jobs = others(ours, key)
  if (jobs.length > 0) {
    replace(path, file.write(own, { ...ours, jobs }), former)
    return 'another job uses it, and puts it back'
  }
  if (ours.made === 'nothing' || own !== file.empty) replace(path, own, former)
  else {
    rmSync(path)
    if (ours.made === 'folder') removeIfEmpty(dirname(path))
  }
  return null
}

function fileOf(agent: AgentName): AgentFile | undefined {
  const { file }: { readonly file?: AgentFile } = agents[agent]
  return file
}

/** Says of which agent and file it is that something went wrong. */
function named<T>(agent: AgentName, what: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof StepError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    throw new StepError(
      `Cannot set up the agent ${agent}: ~/${fileOf(agent)!.path} cannot ${what} (${code ?? message}). ` +
        'Mend the file, or remove it before this step.',
    )
  }
}

/** Follows links. A file that is not there yet has to be no link, and in no folder that is one to nothing. */
function resolve(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  for (const place of [path, dirname(path)])
    if (lstatSync(place, { throwIfNoEntry: false }) && !existsSync(place)) throw new Error('it is a link to nothing')
  return path
}

interface Loaded {
  /** One character a byte. */
  readonly text: string
  readonly stats: Stats
}

/** @returns `null` when there is no such file. @throws when it is not a file, or a large one; never waits for a pipe */
function load(path: string): Loaded | null {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const stats = fstatSync(file)
    if (!stats.isFile()) throw new Error('it is not a regular file')
    if (stats.size > MOST_BYTES) throw new Error('it is larger than 1 MiB')
    return { text: readFileSync(file, 'latin1'), stats }
  } finally {
    closeSync(file)
  }
}

function contents(agent: AgentName, loaded: Loaded | null): Contents {
  const file = fileOf(agent)!
  const found = file.read(loaded?.text ?? file.empty)
  if (found !== null) return found
  throw new StepError(
    `Cannot set up the agent ${agent}: ~/${file.path} is not ${file.format}. ` +
      'Mend the file, or remove it before this step.',
  )
}

/** The jobs that still run, but for this one. Those whose runner died had no post. */
function others(ours: Ours | null, key: string): Job[] {
  const now = Date.now() / 1000
  return (ours?.jobs ?? []).filter((job) => job.key !== key && job.expires > now && existsSync(job.alive))
}

/** The runner empties this folder when a job begins and when it ends. */
function aliveFile(key: string): string {
  return join(process.env['RUNNER_TEMP'] || tmpdir(), `till-${key}`)
}

/** At once, with the mode and the owner that it had: nobody reads half of it. */
function replace(path: string, text: string, former: Loaded | null): void {
  const temporary = join(dirname(path), `.${basename(path)}.till-${randomBytes(6).toString('hex')}`)
  try {
    fill(temporary, text, former?.stats)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

function fill(path: string, text: string, like: Stats | undefined): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeFileSync(file, text, 'latin1')
    if (!like) return
    const { uid, gid } = fstatSync(file)
    if (uid !== like.uid || gid !== like.gid) fchownSync(file, like.uid, like.gid)
    fchmodSync(file, like.mode & 0o7777)
  } finally {
    closeSync(file)
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // The agent left something of its own there.
  }
}
