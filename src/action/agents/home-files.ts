import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { AgentFile, Setting } from './agent.ts'

/** What post needs to put a file back. Without contents: the runner prints states when it debugs. */
export interface Written {
  readonly path: string
  /** SHA-256 of what was written, in hex: another program's changes are not overwritten. */
  readonly written: string
  /** Where the former bytes are kept, and their SHA-256; `null` when there was no file. */
  readonly former: { readonly copy: string; readonly hash: string } | null
  /** The first folder that had to be made, if any. */
  readonly folder: string | null
}

/** Writes an agent's file, keeping what stands in it. A copy of that goes to the runner's folder for temporary files. */
export function write(file: AgentFile, setting: Setting): Written {
  const path = join(homedir(), file.path)
  const former = existsSync(path) ? readFileSync(path) : null
  const text = file.merge(former?.toString('utf8') ?? null, setting)
  const folder = mkdirSync(dirname(path), { recursive: true, mode: 0o700 }) ?? null
  const copy = former && keep(former)
  writeFileSync(path, text, { mode: 0o600 })
  return { path, written: sha256(text), former: former && copy ? { copy, hash: sha256(former) } : null, folder }
}

/** Whether what stands in the file could be kept. To be asked before there is a key. @throws {StepError} if not */
export function probe(file: AgentFile, providers: readonly string[]): void {
  const path = join(homedir(), file.path)
  const bases = new Map(providers.map((name) => [name, 'https://till.invalid']))
  file.merge(existsSync(path) ? readFileSync(path, 'utf8') : null, { key: '', bases, models: [] })
}

/**
 * Puts a file back, byte for byte, or removes what was not there before.
 *
 * @returns why it was left as it is, or `null` when it was put back
 */
export function restore({ path, written, former, folder }: Written): string | null {
  if (!existsSync(path)) return 'it was removed'
  if (sha256(readFileSync(path)) !== written) return 'it was changed since'
  if (former) {
    const bytes = existsSync(former.copy) ? readFileSync(former.copy) : null
    if (!bytes || sha256(bytes) !== former.hash) return 'the copy of what it held is gone'
    writeFileSync(path, bytes)
    rmSync(dirname(former.copy), { recursive: true })
    return null
  }
  rmSync(path)
  if (folder !== null) removeEmpty(dirname(path), folder)
  return null
}

function keep(bytes: Buffer): string {
  const folder = mkdtempSync(join(process.env['RUNNER_TEMP'] || tmpdir(), 'till-'))
  chmodSync(folder, 0o700)
  const copy = join(folder, 'copy')
  writeFileSync(copy, bytes, { mode: 0o600 })
  return copy
}

/** Removes folders from `from` up to `last`, as long as they are empty. */
function removeEmpty(from: string, last: string): void {
  try {
    for (let folder = from; folder.startsWith(last); folder = dirname(folder)) rmdirSync(folder)
  } catch {
    // The agent left something of its own there.
  }
}

function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
