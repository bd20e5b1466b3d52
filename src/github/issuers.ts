/**
 * The issuers whose jobs a GitHub server tells of. The only one that is configured, whatever its name; else those of the
 * same server: `api.github.com` belongs to `token.actions.githubusercontent.com`, `api.TENANT.ghe.com` to
 * `token.actions.TENANT.ghe.com`, and the API of a GitHub Enterprise Server has its host.
 */
export function issuersOf<I extends { readonly url: string }>(apiUrl: string, issuers: readonly I[]): readonly I[] {
  if (issuers.length === 1) return issuers
  const { hostname } = new URL(apiUrl)
  const tenant = /^api\.(.+\.ghe\.com)$/.exec(hostname)?.[1]
  const issuer =
    hostname === 'api.github.com'
      ? 'token.actions.githubusercontent.com'
      : tenant !== undefined
        ? `token.actions.${tenant}`
        : hostname
  return issuers.filter(({ url }) => new URL(url).hostname === issuer)
}

/** Where people look at what an API tells of: `https://api.github.com` → `https://github.com`. */
export function serverUrl(apiUrl: string): string {
  const { origin, protocol, host } = new URL(apiUrl)
  return host.startsWith('api.') ? `${protocol}//${host.slice('api.'.length)}` : origin
}
