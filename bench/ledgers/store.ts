import type { Ledger } from '#broker/ports.ts'
import type { Grant } from '#domain/grant.ts'

/** A ledger, and what a broker without group commit would do in its place. */
export interface Store {
  readonly ledger: Ledger
  /** Charges a second, by what is done. */
  readonly alone: Readonly<Record<string, (grants: readonly Grant[], seconds: number, now: number) => Promise<number>>>
  close(): Promise<void>
}
