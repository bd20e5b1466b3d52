/** A proxy variable that names no proxy that can be used. The message never repeats its value: it may hold a password. */
export class ProxyUnusable extends Error {
  override readonly name = 'ProxyUnusable'
}

/**
 * The proxy for a URL, by the rules of GitHub's own client (`getProxyUrl` of `@actions/http-client`), so that a runner
 * needs to be told once: `https_proxy` or `http_proxy` by the scheme of the URL, unless `no_proxy` names the host, a
 * domain that it is in, `host:port`, or `*`; in lower case first. What has no scheme is `http:`.
 *
 * @returns `null` where it is asked directly, as every loopback address is: no proxy could mean that
 * @throws {ProxyUnusable} where that client goes without the proxy, or fails later
 */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv = process.env): URL | null {
  if (isLoopback(url) || isExcepted(url, env['no_proxy'] || env['NO_PROXY'] || '')) return null
  const lower = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy'
  const name = env[lower] ? lower : lower.toUpperCase()
  const given = env[name]
  if (!given) return null
  if (/^socks/i.test(given.trim()))
    throw new ProxyUnusable(`${name} names a SOCKS proxy: expected one of http: or https:`)
  const proxy = URL.parse(given.includes('://') ? given : `http://${given}`)
  if (!proxy || !/^https?:$/.test(proxy.protocol) || !canBeDecoded(proxy))
    throw new ProxyUnusable(
      `${name} is not the URL of a proxy: expected one such as http://proxy.example.com:3128, ` +
        'in which a user name and a password are percent-encoded',
    )
  return proxy
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname.startsWith('127.') || hostname.startsWith('[::1]')
}

function isExcepted({ hostname, port, protocol }: URL, noProxy: string): boolean {
  const host = hostname.toUpperCase()
  const hosts = [host, `${host}:${port || (protocol === 'https:' ? 443 : 80)}`]
  return noProxy
    .split(',')
    .map((entry) => entry.trim().toUpperCase())
    .filter((entry) => entry !== '')
    .some(
      (entry) => entry === '*' || hosts.some((name) => name === entry || name.endsWith(`.${entry.replace(/^\./, '')}`)),
    )
}

function canBeDecoded({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}
