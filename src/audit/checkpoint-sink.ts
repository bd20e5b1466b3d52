import { hash } from 'node:crypto'
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** A place outside the ledger that checkpoints are shipped to. */
export interface CheckpointSink {
  /** Whether each checkpoint replaces the one before it, so that only the newest is worth sending. */
  readonly keepsOnlyTheNewest: boolean
  /** Whether it can be asked what it holds. */
  readonly isReadable: boolean
  /** Of one that wants each checkpoint and cannot be asked: the record of what it was sent. It does not hold the URL. */
  readonly record: string | null
  /** The newest checkpoint that it holds, as compact JWS. `null`: none, or it cannot be asked. */
  newest(): string | null
  /**
   * Resolves when the checkpoint is there.
   *
   * @throws {ShippingFailed} when it is not, or when that is not certain
   */
  send(jws: string, signal: AbortSignal): Promise<void>
}

export interface CheckpointTarget {
  readonly kind: 'file' | 'webhook' | 'put'
  /** Absolute path, or URL. A URL may hold a secret. */
  readonly to: string
}

/** The message names what went wrong, never where: a URL may hold a secret. */
export class ShippingFailed extends Error {
  override readonly name = 'ShippingFailed'
}

export function checkpointSink({ kind, to }: CheckpointTarget): CheckpointSink {
  return SINKS[kind](to)
}

const SINKS: Readonly<Record<CheckpointTarget['kind'], (to: string) => CheckpointSink>> = {
  file: fileSink,
  webhook: (url) => httpSink('POST', url),
  put: (url) => httpSink('PUT', url),
}

/** More than any checkpoint's JWS has. */
const TAIL_BYTES = 4096
const NEWLINE = 0x0a

/** One line a checkpoint, each flushed to the disk. A line that a crash left unfinished is cut off. */
function fileSink(path: string): CheckpointSink {
  return {
    keepsOnlyTheNewest: false,
    isReadable: true,
    record: null,
    newest() {
      return withTail(path, 'r', (_, tail) => tail.toString('latin1').split('\n').at(-2) ?? null)
    },
    async send(jws) {
      try {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
        closeSync(openSync(path, 'a', 0o600))
        withTail(path, 'r+', (file, tail, size) => {
          const end = size - tail.length + (tail.lastIndexOf(NEWLINE) + 1)
          ftruncateSync(file, end)
          writeSync(file, `${jws}\n`, end)
          fsyncSync(file)
        })
      } catch (error) {
        throw new ShippingFailed((error as NodeJS.ErrnoException).code ?? 'unknown fault')
      }
    },
  }
}

/** Gives the last bytes of a file; `null` when there is no file. */
function withTail<T>(path: string, flags: 'r' | 'r+', use: (file: number, tail: Buffer, size: number) => T): T | null {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? {}
  if (size === undefined) return null
  const file = openSync(path, flags)
  try {
    const length = Math.min(size, TAIL_BYTES)
    const tail = Buffer.alloc(length)
    readSync(file, tail, 0, length, size - length)
    return use(file, tail, size)
  } finally {
    closeSync(file)
  }
}

const SEND_MILLISECONDS = 10_000

/** The JWS as it is, for a receiver that takes a POST or for an object that a PUT replaces. */
function httpSink(method: 'POST' | 'PUT', url: string): CheckpointSink {
  return {
    keepsOnlyTheNewest: method === 'PUT',
    isReadable: false,
    record: method === 'PUT' ? null : `checkpoints_shipped|${hash('sha256', url)}`,
    newest: () => null,
    async send(jws, signal) {
      const answer = await fetch(url, {
        method,
        // RFC 7515, section 9.2.1.
        headers: { 'content-type': 'application/jose' },
        body: jws,
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(SEND_MILLISECONDS)]),
      }).catch((error: unknown) => {
        throw new ShippingFailed(networkFault(error))
      })
      await answer.body?.cancel()
      if (!answer.ok) throw new ShippingFailed(`it answered ${answer.status}`)
    },
  }
}

function networkFault(error: unknown): string {
  const { name, cause } = error as Error
  return (cause as NodeJS.ErrnoException | undefined)?.code ?? name
}
