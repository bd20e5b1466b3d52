import { StorageUnavailable } from '#broker/ports.ts'
import { MasterKeyError } from '#crypto/master-key.ts'
import { SealError } from '#crypto/seal.ts'

/** A broker that does not start. The message is for the operator. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/** Faults that an operator can do something about become a {@link StartError}; the others keep their stack. */
export function rethrowForOperator(error: unknown): never {
  if (error instanceof StorageUnavailable || error instanceof MasterKeyError || error instanceof SealError)
    throw new StartError(error.message, { cause: error })
  const { code, syscall } = error as NodeJS.ErrnoException
  // `bind`: in a worker, for which the primary listens.
  if (syscall === 'listen' || syscall === 'bind' || syscall === 'getaddrinfo')
    throw new StartError(`Cannot listen there: ${code}. Change listen:, or stop what uses the address.`, {
      cause: error,
    })
  throw error
}
