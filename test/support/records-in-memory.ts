import type { Ledger } from '#broker/ports.ts'

/** The ledger's records, in memory, as a process after a crash finds them. */
export function recordsInMemory(): Pick<Ledger, 'readRecord' | 'writeRecord' | 'createRecord'> & {
  readonly stored: Map<string, Uint8Array>
} {
  const stored = new Map<string, Uint8Array>()
  return {
    stored,
    readRecord: async (name) => stored.get(name) ?? null,
    writeRecord: async (name, value) => void stored.set(name, Uint8Array.from(value)),
    createRecord: async (name, value) => {
      if (!stored.has(name)) stored.set(name, Uint8Array.from(value))
      return Uint8Array.from(stored.get(name)!)
    },
  }
}
