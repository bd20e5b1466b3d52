import type { Agent } from 'node:http'

/** Connections that live as long as the process, so that minting after discovery costs no second TLS handshake. */
const agents = new Map<string, Agent>()

/**
 * The module and the connections for a URL.
 *
 * Proxies are those of `https_proxy`, `http_proxy` and `no_proxy` (Node 24.5 reads them), only where these are set, and
 * never for a loopback address, which no proxy could mean.
 *
 * `getBuiltinModule` and not `import`: importing `node:http` reads all its exports, one of which loads undici (30 ms).
 */
export function transport(url: URL): { request: typeof import('node:http').request; agent: Agent } {
  const secure = url.protocol === 'https:'
  const module = secure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http')
  const key = `${url.protocol}${isLoopback(url)}`
  let agent = agents.get(key)
  if (!agent) {
    const proxy = isLoopback(url) ? {} : { proxyEnv: process.env }
    agent = new module.Agent({ keepAlive: true, ...proxy })
    agents.set(key, agent)
  }
  return { request: module.request, agent }
}

function isLoopback(url: URL): boolean {
  return ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
}
