import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A call that changed a file, or that made its changes last, in the order in which they returned. */
export type RecordedCall =
  | { readonly kind: 'write'; readonly path: string; readonly bytes: Buffer; readonly at: number }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'sync'; readonly path: string }

/** Installed, and allowed to trace: a container may forbid it. */
export const straceWorks = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

/** Runs a program with all its threads under strace, and returns what it wrote and flushed. */
export function recordCalls(trace: string, command: string, args: readonly string[]): RecordedCall[] {
  const calls = 'trace=pwrite64,pwritev,pwritev2,fdatasync,fsync,ftruncate,fallocate,rename,unlink'
  const run = spawnSync('strace', ['-f', '-y', '-xx', '-s', '10000000', '-e', calls, '-o', trace, command, ...args], {
    // What Node keeps of compiled files is none of the ledger's writes.
    env: { ...process.env, NODE_COMPILE_CACHE: undefined },
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(`the recorded program ended with ${run.status}: ${run.stderr}`)
  const unfinished = new Map<string, string>()
  return readFileSync(trace, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, thread, text] = /^(\d+) +(.*)$/.exec(line) ?? []
      if (thread === undefined || text === undefined || /^(---|\+\+\+)/.test(text)) return []
      if (text.endsWith('<unfinished ...>')) {
        unfinished.set(thread, text.slice(0, -'<unfinished ...>'.length))
        return []
      }
      const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)
      const call = recordedCall(resumed ? `${unfinished.get(thread)}${resumed[1]}` : text)
      return call ? [call] : []
    })
}

function recordedCall(text: string): RecordedCall | null {
  const [, name, path, rest] = /^(\w+)\(\d+<([^>]*)>(.*)$/.exec(text) ?? []
  if (name === undefined || path === undefined || rest === undefined)
    throw new Error(`cannot read: ${text.slice(0, 200)}`)
  const of = { path: unescaped(path).toString() }
  if (name === 'fdatasync' || name === 'fsync') {
    if (!/\) += 0$/.test(rest)) throw new Error(`a flush failed: ${text}`)
    return { kind: 'sync', ...of }
  }
  if (name === 'ftruncate') return { kind: 'truncate', size: Number(/^, (\d+)\)/.exec(rest)?.[1]), ...of }
  const [, bytes, at, written] = /^, "((?:\\x[0-9a-f]{2})*)", \d+, (\d+)\) += (\d+)$/.exec(rest) ?? []
  if (name !== 'pwrite64' || bytes === undefined) throw new Error(`cannot read: ${text.slice(0, 200)}`)
  return { kind: 'write', bytes: unescaped(bytes).subarray(0, Number(written)), at: Number(at), ...of }
}

function unescaped(text: string): Buffer {
  return Buffer.from(
    text.replace(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
}

const SECTOR = 512

/**
 * What a power cut after the first `count` calls can leave of a file: everything that was flushed, and of each later
 * write all, nothing, or some sectors, whatever their order.
 *
 * @param before what was in the file when the record began
 * @param keep asked for each sector, or change of size, that was not flushed: whether it reached the disk
 */
export function afterPowerLoss(
  calls: readonly RecordedCall[],
  count: number,
  path: string,
  before: Buffer,
  keep: () => boolean,
): Buffer {
  const lastSync = calls.slice(0, count).findLastIndex((call) => call.kind === 'sync' && call.path === path)
  let content = before
  for (const [index, call] of calls.slice(0, count).entries()) {
    if (call.path !== path || call.kind === 'sync') continue
    const isFlushed = index < lastSync
    if (call.kind === 'truncate') {
      if (isFlushed || keep()) content = resized(content, call.size)
      continue
    }
    for (let from = 0; from < call.bytes.length; ) {
      const length = Math.min(SECTOR - ((call.at + from) % SECTOR), call.bytes.length - from)
      if (isFlushed || keep()) {
        content = resized(content, Math.max(content.length, call.at + from + length))
        call.bytes.copy(content, call.at + from, from, from + length)
      }
      from += length
    }
  }
  return content
}

function resized(content: Buffer, size: number): Buffer {
  if (size === content.length) return content
  const next = Buffer.alloc(size)
  content.copy(next)
  return next
}
