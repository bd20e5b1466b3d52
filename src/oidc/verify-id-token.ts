import { type CryptoKey, compactVerify } from 'jose'
import type { Clock, Ledger, Log, TokenVerifier } from '#broker/ports.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import { type ClaimObjection, checkClaims } from './claims.ts'
import { decodeIdToken, type FormObjection } from './decode-id-token.ts'
import { FIRST_FETCH_SECONDS, issuerKeys } from './issuer-keys.ts'
import { refusalLog } from './refusal-log.ts'

/** An issuer of the configuration: `Issuer` there. */
export interface TrustedIssuer {
  readonly url: string
  readonly checkRunId: 'required' | 'optional'
}

/** {@link TokenVerifier}, and what the broker does for it besides. */
export interface IdTokenVerifier extends TokenVerifier {
  /**
   * Fetches what is due of every issuer's keys. To be called at start and then every minute or so, so that no job waits
   * for a fetch and an idle broker has fresh keys when an outage begins.
   */
  refresh(): Promise<void>
  /** The issuers whose tokens cannot be verified now. */
  issuersWithoutKeys(): readonly string[]
}

/** Why a token is refused. The operator's log has it, the answer never. */
type Objection = FormObjection | 'issuer' | 'unknown_kid' | 'signature' | ClaimObjection

/**
 * Till as relying party: verifies ID tokens of the configured issuers.
 *
 * Nothing is fetched because a token says so, no key or algorithm comes from a token, and every refusal reads the same.
 *
 * @param options `issuers` and `audience` are asked for each token, so that a reload counts at once; `records` keeps the
 *   last good key sets over restarts
 */
export function tokenVerifier(options: {
  readonly issuers: () => readonly TrustedIssuer[]
  readonly audience: () => string
  readonly clock: Clock
  readonly log: Log
  readonly records?: Pick<Ledger, 'readRecord' | 'writeRecord'>
  /** Aborted when the broker stops: no fetch goes on after that. */
  readonly signal?: AbortSignal
}): IdTokenVerifier {
  const { issuers, audience, clock, log } = options
  const keys = issuerKeys(options)

  const note = refusalLog(log, clock)

  const invalid = (reason: Objection, issuer: string | null = null): Refusal => {
    note(reason, issuer)
    return refusal(
      'token_invalid',
      "Cannot accept the ID token: it does not verify. Get a new one for this broker's audience in the same job, and check that the broker trusts your issuer.",
    )
  }

  return {
    async verify(token) {
      const decoded = decodeIdToken(token)
      if (typeof decoded === 'string') return invalid(decoded)
      const { kid, payload } = decoded
      const issuer = issuers().find(({ url }) => url === payload['iss'])
      if (!issuer) return invalid('issuer')
      const key = await keys.find(issuer.url, kid)
      if (key === 'unavailable') return unavailable()
      if (key === 'unknown_kid') return invalid(key, issuer.url)
      if (!(await signatureHolds(token, key))) return invalid('signature', issuer.url)
      const claims = checkClaims(payload, { audience: audience(), now: clock() })
      if (typeof claims === 'string') return invalid(claims, issuer.url)
      return { kind: 'verified', claims, jti: claims.jti, expiresAt: claims.exp, checkRunId: issuer.checkRunId }
    },
    async refresh() {
      await Promise.all(issuers().map(({ url }) => keys.refresh(url)))
    },
    issuersWithoutKeys: () =>
      issuers()
        .map(({ url }) => url)
        .filter((url) => !keys.isKnown(url)),
  }
}

async function signatureHolds(token: string, key: CryptoKey): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: ['RS256'] })
    return true
  } catch {
    return false
  }
}

function unavailable(): Refusal {
  return refusal(
    'issuer_keys_unavailable',
    "Cannot verify the ID token now: the keys of its issuer are not known. The broker tries again by itself; repeat the request shortly, and look at the broker's log if it stays so.",
    FIRST_FETCH_SECONDS,
  )
}
