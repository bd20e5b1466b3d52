import { DatabaseError } from 'pg'
import { StorageUnavailable } from '#broker/ports.ts'

/** What the server said no to, with a five-letter code (postgresql.org/docs/current/errcodes-appendix.html). */
export type ServerRefusal = DatabaseError & { readonly code: string }

/**
 * Whether the server answered that the statement came to nothing. Every other error leaves the outcome open: what was
 * sent may be committed, now or when the server goes on.
 */
export function isServerRefusal(error: unknown): error is ServerRefusal {
  return error instanceof DatabaseError && typeof error.code === 'string' && !endsSession(error.code)
}

/** Connection exceptions (08), and what ends a session: shutdown (57P01 to 57P05), idle in a transaction (25P03). */
function endsSession(code: string): boolean {
  return code.startsWith('08') || code.startsWith('57P') || code === '25P03'
}

/** Deadlock and serialization failure: rolled back, and may be run again. */
export function mayRunAgain(error: unknown): boolean {
  return isServerRefusal(error) && (error.code === '40P01' || error.code === '40001')
}

/** Two mints of one job met: the other one stands now. */
export function isUniqueViolation(error: unknown): boolean {
  return isServerRefusal(error) && error.code === '23505'
}

/** A value of one call that the server cannot store (data exception, integrity constraint); other calls are not concerned. */
export function isFaultOfCall(error: unknown): boolean {
  if (isServerRefusal(error)) return /^2[23]/.test(error.code)
  return error instanceof TypeError || error instanceof RangeError
}

/** For the operator: nothing of a statement, its values or the address. */
export function nameOfFault(error: unknown): string {
  if (error instanceof DatabaseError) return `PostgreSQL error ${error.code ?? 'unknown'}`
  if (!(error instanceof Error)) return 'an unknown fault'
  if ('code' in error) return `the connection to PostgreSQL failed (${String(error.code)})`
  // How `pg` says it, which gives these no code.
  if (error.message.startsWith('Connection terminated')) return 'the connection to PostgreSQL was lost'
  if (/timeout/i.test(error.message)) return 'PostgreSQL did not answer in time'
  // An error of no class of its own is this folder's; the text of any other may hold anything.
  return error.constructor === Error ? error.message : error.name
}

/** Every fault as the ledger tells it. The outcome of what was under way may be unknown: it counts as spent. */
export function unavailableFrom(error: unknown): StorageUnavailable {
  if (error instanceof StorageUnavailable) return error
  return new StorageUnavailable(
    `Cannot use the ledger: ${nameOfFault(error)}. Nothing was allowed that is not certain to be on disk.`,
    { cause: error },
  )
}
