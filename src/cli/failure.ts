/** What a command could not do: a sentence for the operator, and status 1. */
export class Failure extends Error {
  override readonly name: string = 'Failure'
}

/** What a command was asked in the wrong way: status 2. */
export class WrongUse extends Failure {
  override readonly name = 'WrongUse'
}

/** Errors whose message was written for an operator; it holds no secret. */
const SENTENCES: ReadonlySet<string> = new Set([
  'Failure',
  'WrongUse',
  'StartError',
  'StorageUnavailable',
  'MasterKeyError',
  'SealError',
])

/**
 * What to print of an error. The message of one that nobody foresaw may quote a secret (SECURITY, T40), so of that only
 * its name, its code and where it came from.
 */
export function faultText(error: unknown): string {
  if (!(error instanceof Error)) return 'Till failed, and does not know why. Please report it.'
  if (SENTENCES.has(error.name)) return error.message
  const { code } = error as NodeJS.ErrnoException
  const frames = (error.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line))
  return [
    `Till failed: ${error.name}${code === undefined ? '' : ` (${code})`}. Please report it with these lines:`,
    ...frames,
  ].join('\n')
}
