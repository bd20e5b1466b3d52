import type { Log } from '#broker/ports.ts'

/** A log that keeps its lines as text, to look for what must not stand there. */
export function recordingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = []
  const write = (event: string, fields: unknown = {}) => void lines.push(JSON.stringify({ event, fields }))
  return { lines, info: write, warn: write, error: write }
}
