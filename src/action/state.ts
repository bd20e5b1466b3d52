import type { MintRequest } from '#wire/mint.ts'

/**
 * What main leaves for post (`GITHUB_STATE`, `STATE_…`). Never the key: any process of the job can read it. Broker and
 * audience are here, and not read from the inputs again, so that no later step can send post elsewhere.
 */
export const state = {
  /** Before a mint is asked for, so that post can end a key whose answer never came: {@link Begun} as JSON. */
  begun: 'begun',
  broker: 'broker',
  audience: 'audience',
  keyId: 'key-id',
  expiresAt: 'expires-at',
  files: 'files',
} as const

/** A mint that was asked for, as it can be asked for again. */
export interface Begun {
  readonly idempotencyKey: string
  readonly request: MintRequest
}
