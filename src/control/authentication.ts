import { KEY_INVALID, type Proof } from '#broker/find-grant.ts'
import { TOKEN_INVALID } from '#broker/identify-job.ts'
import type { Refusal } from '#domain/refusal.ts'

type KeyProof = Extract<Proof, { kind: 'key' }>
type TokenProof = Extract<Proof, { kind: 'token' }>

/** What a route may ask for, and what its handler gets. */
export interface ProofFor {
  readonly none: null
  readonly key: KeyProof
  readonly 'ID token': TokenProof
  readonly 'key or ID token': Proof
  /** Over the body, so that the handler looks at it. */
  readonly signature: null
}

/**
 * Reads `Authorization: Bearer …`, the one place where the control plane looks. Whether what stands there is worth
 * anything is for the verbs to find out.
 */
export const authentication: {
  readonly [A in keyof ProofFor]: (authorization: string | undefined) => ProofFor[A] | Refusal
} = {
  none: () => null,
  key: (authorization) => {
    const proof = bearer(authorization)
    return proof?.kind === 'key' ? proof : KEY_INVALID
  },
  'ID token': (authorization) => {
    const proof = bearer(authorization)
    return proof?.kind === 'token' ? proof : TOKEN_INVALID
  },
  'key or ID token': (authorization) => bearer(authorization) ?? KEY_INVALID,
  signature: () => null,
}

/** RFC 6750, section 2.1, and RFC 9110, section 11.1: the scheme's case does not matter. */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i

function bearer(authorization: string | undefined): Proof | null {
  const text = BEARER.exec(authorization ?? '')?.[1]
  if (text === undefined) return null
  return text.includes('.') ? { kind: 'token', idToken: text } : { kind: 'key', key: text }
}
