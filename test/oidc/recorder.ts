import type { Ledger, Log } from '#broker/ports.ts'

/** A log that keeps its lines as text, to look for what must not stand there. */
export function recordingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = []
  const write = (event: string, fields: unknown = {}) => void lines.push(JSON.stringify({ event, fields }))
  return { lines, info: write, warn: write, error: write }
}

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
