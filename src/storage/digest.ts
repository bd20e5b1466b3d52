import { hash } from 'node:crypto'

export function sha256(text: string): Uint8Array {
  return hash('sha256', text, 'buffer')
}

/** Different for different parts, whatever they hold. */
export function digestOf(...parts: readonly string[]): Uint8Array {
  return sha256(JSON.stringify(parts))
}
