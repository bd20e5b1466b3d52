import { Failure } from './failure.ts'

/** Bytes. More is no credential and no ID token: it is the wrong file. */
const MAX_BYTES = 65_536

/**
 * Reads standard input to its end. From a terminal that is Ctrl-D, and nothing of it is shown; Ctrl-C ends the process
 * as ever, with the terminal as it was.
 *
 * @param what stands there, for people: `the credential of groq`
 * @throws {Failure} when it cannot be read, or holds more than 65,536 bytes
 */
export async function readStdin(what: string): Promise<string> {
  try {
    return (await (process.stdin.isTTY ? readHidden(what) : readAll(what))).toString()
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure(`Cannot read ${what} from standard input (${(error as NodeJS.ErrnoException).code}).`)
  }
}

async function readAll(what: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BYTES) throw tooLong(what)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const INTERRUPT = 0x03 // Ctrl-C
const END = 0x04 // Ctrl-D
const KILL_LINE = 0x15 // Ctrl-U
const ERASE: readonly number[] = [0x08, 0x7f]
const RETURN = 0x0d
const NEWLINE = 0x0a

/** In raw mode, the only one of Node's without echo, every key is a byte, those that the terminal acts on otherwise too. */
async function readHidden(what: string): Promise<Buffer> {
  const { stdin } = process
  stdin.setRawMode(true)
  // Not before: what is pasted on seeing this is not shown.
  process.stderr.write(`Paste ${what}, which is not shown, then end with Ctrl-D:\n`)
  try {
    const typed: number[] = []
    for await (const chunk of stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
      for (const key of chunk) {
        if (key === END) return Buffer.from(typed)
        if (key === INTERRUPT) return interrupted()
        if (key === KILL_LINE) typed.length = typed.lastIndexOf(NEWLINE) + 1
        else if (ERASE.includes(key)) typed.pop()
        else typed.push(key === RETURN ? NEWLINE : key)
        if (typed.length > MAX_BYTES) throw tooLong(what)
      }
    return Buffer.from(typed)
  } finally {
    stdin.setRawMode(false)
    stdin.destroy()
  }
}

/** Ends as by the signal that the terminal would have sent, so that a script that called this one stops, too. */
function interrupted(): never {
  process.stdin.setRawMode(false)
  process.kill(process.pid, 'SIGINT')
  throw new Failure('Interrupted.')
}

function tooLong(what: string): Failure {
  return new Failure(`Cannot read ${what}: standard input holds more than ${MAX_BYTES.toLocaleString('en')} bytes.`)
}
