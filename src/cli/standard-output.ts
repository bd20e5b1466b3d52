import { spawn } from 'node:child_process'
import { fstatSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { Failure } from './failure.ts'

/** Who read standard output has gone away, which is no fault: `till audit export | head`. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

/**
 * Writes to standard output, and resolves when that has taken it.
 *
 * @throws {ReaderGone} when nobody reads it any more
 * @throws {Failure} when it cannot be written: a full disk
 */
export async function writeOut(text: string | Uint8Array): Promise<void> {
  try {
    await (process.stdout instanceof Socket
      ? writeStream(text)
      : writeFile(typeof text === 'string' ? Buffer.from(text) : text))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_DESTROYED') throw new ReaderGone()
    throw new Failure(`Cannot write to standard output (${code}): what stands there is not the whole.`)
  }
}

function writeStream(text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()))
  })
}

/** Node's own stream takes a part that fitted on the disk for the whole. */
function writeFile(bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(process.stdout.fd, bytes, written)
}

/**
 * Calls back when the reader of a pipe goes while nothing is written to it, which Node cannot see. GNU's `tail` can: one
 * that has nothing to show ends by SIGPIPE. Where there is none, and where standard output is no pipe, the next write
 * tells.
 *
 * @returns a function that ends the watch
 */
export function watchReader(onGone: () => void): () => void {
  if (!fstatSync(process.stdout.fd).isFIFO()) return () => {}
  const watcher = spawn('tail', ['-f', '/dev/null', '--pid', String(process.pid)], {
    stdio: ['ignore', 'inherit', 'ignore'],
    env: { PATH: process.env['PATH'] },
  })
  watcher.on('error', () => {}).on('exit', (_, signal) => signal === 'SIGPIPE' && onGone())
  return () => void watcher.kill()
}
