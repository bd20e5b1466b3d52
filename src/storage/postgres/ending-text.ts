import type { EndReason } from '#domain/grant.ts'
import type { GrantEnding } from '#storage/grant-transaction.ts'

/** The channel of LISTEN and NOTIFY on which replicas tell each other of endings. */
export const ENDINGS_CHANNEL = 'till_endings'

export function endingText({ id, ending }: GrantEnding): string {
  return JSON.stringify([id, ending.at, ending.reason])
}

/** `null` for what is no ending: anybody who may use the database can send to a channel. */
export function parseEnding(text: string): GrantEnding | null {
  try {
    const [id, at, reason] = JSON.parse(text) as [unknown, unknown, unknown]
    return typeof id === 'string' && typeof at === 'number' && typeof reason === 'string'
      ? { id, ending: { at, reason: reason as EndReason } }
      : null
  } catch {
    return null
  }
}
