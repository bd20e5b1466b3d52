import { MAX_ACTIVATIONS } from '#domain/policy.ts'
import { keyId, POLICY_NAME, providers, type ScopeAnswer, scope } from './mint.ts'
import { integer, numericDate, object, oneOf, type Shape, text } from './shape.ts'

/** The answer to `GET /v1/keys/self`: what a living key may still do. Asking spends nothing. */
export interface SelfAnswer {
  readonly id: string
  readonly policy: string
  readonly state: 'active'
  readonly activations: { readonly limit: number; readonly used: number; readonly remaining: number }
  readonly expires_at: number
  readonly scope: ScopeAnswer
  readonly providers: Readonly<Record<string, { readonly base_url: string }>>
}

export const selfAnswer: Shape<SelfAnswer> = object(
  {
    id: keyId,
    policy: text(POLICY_NAME, 'a policy name'),
    state: oneOf('active'),
    activations: object(
      {
        limit: integer(1, MAX_ACTIVATIONS),
        used: integer(0, MAX_ACTIVATIONS),
        remaining: integer(0, MAX_ACTIVATIONS),
      },
      {},
      'ignore',
    ),
    expires_at: numericDate,
    scope,
    providers,
  },
  {},
  'ignore',
)
