import { hash, randomBytes as nodeRandomBytes } from 'node:crypto'
import type { Random } from '#broker/ports.ts'

/** SHA-256: 32 bytes. What the broker keeps of a key, which has 256 bits of its own and so needs no salt. */
export function digest(text: string | Uint8Array): Uint8Array {
  return hash('sha256', text, 'buffer')
}

/** Bytes of the operating system's generator, in a buffer that nothing else shares. */
export const randomBytes: Random = (length) => new Uint8Array(nodeRandomBytes(length))
