/**
 * What main leaves for post (`GITHUB_STATE`, `STATE_…`). Never the key: any process of the job can read it. Broker and
 * audience are here, and not read from the inputs again, so that no later step can send post elsewhere.
 */
export const state = {
  keyId: 'key-id',
  broker: 'broker',
  audience: 'audience',
  expiresAt: 'expires-at',
  files: 'files',
} as const
