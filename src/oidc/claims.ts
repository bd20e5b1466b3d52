import type { NumericDate } from '#domain/numeric-date.ts'

export const LEEWAY_SECONDS = 30
export const MOST_LIFETIME_SECONDS = 15 * 60
export const MOST_AGE_SECONDS = 10 * 60
const JTI = /^[\x21-\x7e]{1,256}$/

/** The claims that every ID token has (OpenID Connect Core 1.0, section 2), and `nbf` and `jti`, which GitHub's have. */
export interface RegisteredClaims extends Readonly<Record<string, unknown>> {
  readonly aud: string
  readonly exp: NumericDate
  readonly iat: NumericDate
  readonly nbf: NumericDate
  readonly jti: string
}

export type ClaimObjection = 'aud_form' | 'time_form' | 'jti_form' | keyof typeof objections

/** What must not be, in the order of asking. The first that is decides, and stands in the operator's log. */
const objections = {
  aud: ({ aud }, { audience }) => aud !== audience,
  expired: ({ exp }, { now }) => now >= exp + LEEWAY_SECONDS,
  not_yet_valid: ({ nbf }, { now }) => nbf > now + LEEWAY_SECONDS,
  issued_ahead: ({ iat }, { now }) => iat > now + LEEWAY_SECONDS,
  too_old: ({ iat }, { now }) => now - iat > MOST_AGE_SECONDS,
  lifetime: ({ exp, iat }) => exp <= iat || exp - iat > MOST_LIFETIME_SECONDS,
} satisfies Record<string, (claims: RegisteredClaims, expected: Expected) => boolean>

interface Expected {
  readonly audience: string
  readonly now: NumericDate
}

/**
 * Whether a token that its issuer signed is meant for us, and of now (OpenID Connect Core 1.0, section 3.1.3.7). A list
 * of audiences is refused even if it holds ours: such a token was made for others as well.
 */
export function checkClaims(
  payload: Readonly<Record<string, unknown>>,
  expected: Expected,
): RegisteredClaims | ClaimObjection {
  const { aud, exp, iat, nbf, jti } = payload
  if (typeof aud !== 'string') return 'aud_form'
  if (!isTime(exp) || !isTime(iat) || !isTime(nbf)) return 'time_form'
  if (typeof jti !== 'string' || !JTI.test(jti)) return 'jti_form'
  const claims: RegisteredClaims = { ...payload, aud, exp, iat, nbf, jti }
  for (const [name, objects] of Object.entries(objections))
    if (objects(claims, expected)) return name as keyof typeof objections
  return claims
}

const isTime = (value: unknown): value is NumericDate => Number.isSafeInteger(value)
