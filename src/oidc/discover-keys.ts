import { type FetchProblem, fetchJson } from './fetch-json.ts'
import { type KeySetProblem, type RsaKey, usableKeys } from './key-set.ts'

export type DiscoveryProblem = FetchProblem | KeySetProblem | 'issuer_url' | 'other_issuer' | 'jwks_uri'

/**
 * Fetches an issuer's keys by way of its discovery document (OpenID Connect Discovery 1.0, section 4).
 *
 * @param issuer from the configuration. Nothing that a token says gets here
 * @returns why there are none: `other_issuer` when the document names another issuer, `jwks_uri` when it sends us to
 *   another origin
 */
export async function discoverKeys(
  issuer: string,
  signal?: AbortSignal,
): Promise<readonly RsaKey[] | DiscoveryProblem> {
  const url = URL.parse(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  if (!url || !isTrustworthy(url)) return 'issuer_url'
  const discovery = await fetchJson(url, { signal })
  if (typeof discovery === 'string') return discovery
  if (discovery['issuer'] !== issuer) return 'other_issuer'
  const jwksUri = typeof discovery['jwks_uri'] === 'string' ? URL.parse(discovery['jwks_uri']) : null
  if (jwksUri?.origin !== url.origin || jwksUri.username !== '' || jwksUri.password !== '') return 'jwks_uri'
  const keySet = await fetchJson(jwksUri, { signal })
  return typeof keySet === 'string' ? keySet : usableKeys(keySet)
}

/** Whoever answers can sign tokens: TLS, or this machine by its literal address. */
function isTrustworthy(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && ['127.0.0.1', '[::1]'].includes(url.hostname))
}
