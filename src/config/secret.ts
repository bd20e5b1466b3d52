import type { Place, Reader } from './place.ts'

/** Where secrets are looked up. */
export interface SecretSources {
  /** Otherwise only the form of what names a secret is checked, and the secret is empty. */
  readonly areRead: boolean
  readonly env: NodeJS.ProcessEnv
  /** @throws when the file cannot be read */
  readonly readFile: (path: string) => string
}

/**
 * Reads what `env:NAME` or `file:PATH` names, without the line end that a file ends in. Problems never repeat a value:
 * what stands here by mistake may be the secret itself.
 */
export function secret(sources: SecretSources, others = ''): Reader<string> {
  const expected = `${others}env:NAME or file:PATH, never the secret itself`
  return (at) => {
    const text = at.text(expected)
    if (text === undefined) return undefined
    const [, kind, name] = /^(env|file):(.+)$/s.exec(text) ?? []
    if (kind === undefined || name === undefined) return at.refuse(`expected ${expected}`)
    if (!sources.areRead) return ''
    return kind === 'env' ? fromEnvironment(at, name, sources) : fromFile(at, name, sources)
  }
}

function fromEnvironment(at: Place, name: string, { env }: SecretSources): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) return at.refuse('expected env: and the name of a variable')
  // A variable, not what every object has.
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  if (value === undefined) return at.refuse(`the environment variable ${name} is not set`)
  return value === '' ? at.refuse(`the environment variable ${name} is empty`) : value
}

function fromFile(at: Place, path: string, { readFile }: SecretSources): string | undefined {
  let text: string
  try {
    text = readFile(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException | null)?.code
    return at.refuse(READ_FAULTS[code ?? ''] ?? 'cannot read this file')
  }
  const value = text.replace(/\r?\n$/, '')
  return value === '' ? at.refuse('this file is empty') : value
}

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'cannot read this file: the permission is missing',
  EISDIR: 'expected a file, got a folder',
  ENOTREG: 'expected a regular file, got a device or a pipe',
  EFBIG: 'this file is too large for a secret',
}

/** Characters. */
const MAX_CREDENTIAL_LENGTH = 8192

/**
 * What keeps a credential from standing in a header (RFC 9110, section 5.5); `null` when nothing does. Says nothing of
 * the value.
 */
export function credentialFault(value: string): string | null {
  if (value === '') return 'it is empty'
  if (value.length > MAX_CREDENTIAL_LENGTH) return `it is longer than ${MAX_CREDENTIAL_LENGTH} characters`
  if (/[\r\n]/.test(value)) return 'it holds a line end'
  if (/[ \t]/.test(value)) return 'it holds a blank'
  return /^[\x21-\x7e]+$/.test(value) ? null : 'it holds a character that is not plain (ASCII) text'
}
