import { StorageUnavailable } from './ports.ts'

/** What the operator's log says of a fault: the sentence of the ledger; else only a class, since a text may hold anything. */
export function reasonOf(error: unknown): string {
  if (error instanceof StorageUnavailable) return error.message
  return error instanceof Error ? error.name : typeof error
}
