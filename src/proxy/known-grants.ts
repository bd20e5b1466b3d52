import type { Socket } from 'node:net'
import type { Grant } from '#domain/grant.ts'
import { ownText } from './own-text.ts'

/** Milliseconds. Ended keys are on record for far longer, so that none is known here that the ledger has forgotten. */
const KNOWN_FOR = 60_000

interface Known {
  readonly key: string
  readonly grant: Grant
  /** Milliseconds of `performance.now()`. */
  readonly until: number
}

/**
 * The key that each connection showed last and its grant, so that the next request needs no second digest. Only what
 * never changes of a key is known here: whether it still lives is what the charge decides.
 */
export class KnownGrants {
  readonly #ofConnection = new WeakMap<Socket, Known>()

  /** @returns `null` when this text, all of it, is not what the connection showed last */
  find(connection: Socket, key: string, now: number): Grant | null {
    const known = this.#ofConnection.get(connection)
    return known !== undefined && now < known.until && isSame(known.key, key) ? known.grant : null
  }

  remember(connection: Socket, key: string, grant: Grant, now: number): void {
    this.#ofConnection.set(connection, { key: ownText(key), grant, until: now + KNOWN_FOR })
  }
}

/** In a time that tells nothing of where they differ: a server in front may send many clients over one connection. */
function isSame(one: string, other: string): boolean {
  if (one.length !== other.length) return false
  let difference = 0
  for (let i = 0; i < one.length; i++) difference |= one.charCodeAt(i) ^ other.charCodeAt(i)
  return difference === 0
}
