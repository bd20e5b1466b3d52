import type { NumericDate } from '#domain/numeric-date.ts'

export const LEEWAY_SECONDS = 30
export const MOST_LIFETIME_SECONDS = 15 * 60
export const MOST_AGE_SECONDS = 10 * 60
const JTI = /^[\x21-\x7e]{1,256}$/

type Payload = Readonly<Record<string, unknown>>

interface Expected {
  readonly audience: string
  readonly now: NumericDate
}

/** Each is a sentence that is true when it passes. The first that is not decides, and its name is the log's reason. */
const checks = {
  audienceIsOneString: ({ aud }: Payload) => typeof aud === 'string',
  audienceIsOurs: ({ aud }: Payload, { audience }: Expected) => aud === audience,
  timesAreNumbers: ({ exp, iat, nbf }: Payload) => [exp, iat, nbf].every(Number.isSafeInteger),
  jtiIsAString: ({ jti }: Payload) => typeof jti === 'string' && JTI.test(jti),
  hasNotExpired: ({ exp }: Payload, { now }: Expected) => now < (exp as number) + LEEWAY_SECONDS,
  isValidAlready: ({ nbf }: Payload, { now }: Expected) => (nbf as number) <= now + LEEWAY_SECONDS,
  wasIssuedBefore: ({ iat }: Payload, { now }: Expected) => (iat as number) <= now + LEEWAY_SECONDS,
  isRecent: ({ iat }: Payload, { now }: Expected) => now - (iat as number) <= MOST_AGE_SECONDS,
  livesShortly: ({ exp, iat }: Payload) =>
    (exp as number) > (iat as number) && (exp as number) - (iat as number) <= MOST_LIFETIME_SECONDS,
} satisfies Record<string, (payload: Payload, expected: Expected) => boolean>

/** @returns the name of the first check that does not hold, or `null` when all do */
export function firstObjection(payload: Payload, expected: Expected): keyof typeof checks | null {
  for (const [name, holds] of Object.entries(checks)) if (!holds(payload, expected)) return name as keyof typeof checks
  return null
}
