import { readFileSync } from 'node:fs'
import { type ReceiptKeys, verifyJws } from '#crypto/verify-receipt.ts'
import type { VerifySignature } from '#serve.ts'
import { Failure } from './failure.ts'

/** Verifies with the keys of a JWK Set. */
export function verifierOf(keys: ReceiptKeys): VerifySignature {
  return (jws, type) => verifyJws(jws, keys, type)
}

/** Reads a file that holds what `/.well-known/jwks.json` of a broker answers. */
export function readJwkSet(file: string): ReceiptKeys {
  const set = parseJwkSet(readText(file))
  if (set) return set
  throw new Failure(`Cannot use ${file}: expected a JWK Set, such as /.well-known/jwks.json of the broker answers.`)
}

/** @returns `null` for what is no JWK Set */
export function parseJwkSet(text: string): ReceiptKeys | null {
  try {
    const set = JSON.parse(text) as ReceiptKeys | null
    return Array.isArray(set?.keys) && set.keys.every((key) => typeof key === 'object' && key !== null) ? set : null
  } catch {
    return null
  }
}

/** @throws {Failure} that says which file and why */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Failure(`Cannot read ${file} (${(error as NodeJS.ErrnoException).code}).`)
  }
}
