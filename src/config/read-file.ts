import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'

/** Bytes. More is no secret: it is the wrong file. */
const MAX_SECRET_FILE_BYTES = 65_536
/** Bytes: as many as the characters of a configuration can have in UTF-8. */
const MAX_CONFIG_FILE_BYTES = 3 * 1_048_576

/**
 * Reads the file of one secret, a regular file of at most 64 KiB. Never waits for a writer, and reads no device: some
 * have no end.
 *
 * @throws with a `code` of the system, or `EISDIR`, `ENOTREG` or `EFBIG`
 */
export function readSecretFile(path: string): string {
  // Without O_NONBLOCK a named pipe would stop the whole process until somebody writes.
  return read(path, constants.O_RDONLY | constants.O_NONBLOCK, MAX_SECRET_FILE_BYTES, (stats) => stats.isFile())
}

/**
 * Reads the configuration: a file, or a pipe, as in `--config /dev/stdin` and `--config <(…)`.
 *
 * @throws with a `code` of the system, or `EISDIR`, `ENOTREG` or `EFBIG`
 */
export function readConfigText(path: string): string {
  return read(path, constants.O_RDONLY, MAX_CONFIG_FILE_BYTES, (stats) => stats.isFile() || stats.isFIFO())
}

/** Opened once, so that what was looked at is what is read. */
function read(path: string, flags: number, most: number, isFit: (stats: Stats) => boolean): string {
  const file = openSync(path, flags)
  try {
    const stats = fstatSync(file)
    if (stats.isDirectory()) throw fault('EISDIR')
    if (!isFit(stats)) throw fault('ENOTREG')
    return bounded(file, most).toString('utf8')
  } finally {
    closeSync(file)
  }
}

/** What a file says of its size is not asked: a pipe has none, and a file may grow meanwhile. */
function bounded(file: number, most: number): Buffer {
  const bytes = Buffer.alloc(most + 1)
  for (let length = 0; length <= most; ) {
    const count = readSync(file, bytes, length, bytes.length - length, null)
    if (count === 0) return bytes.subarray(0, length)
    length += count
  }
  throw fault('EFBIG')
}

function fault(code: 'EISDIR' | 'ENOTREG' | 'EFBIG'): Error {
  return Object.assign(new Error(code), { code })
}
