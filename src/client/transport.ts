import type { Agent } from 'node:http'
import { proxyFor } from './proxy.ts'

/** Connections that live as long as the process, so that minting after discovery costs no second TLS handshake. */
const agents = new Map<string, Agent>()

/**
 * The module and the connections for a URL. Node speaks to the proxy; which one it is {@link proxyFor} says.
 *
 * `getBuiltinModule` and not `import`: importing `node:http` reads all its exports, one of which loads undici (30 ms).
 *
 * @throws {ProxyUnusable}
 */
export function transport(url: URL): { request: typeof import('node:http').request; agent: Agent } {
  const secure = url.protocol === 'https:'
  const module = secure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http')
  const proxy = proxyFor(url)
  const key = `${url.protocol} ${proxy?.href}`
  let agent = agents.get(key)
  if (!agent) {
    const proxyEnv = proxy ? { proxyEnv: { [secure ? 'https_proxy' : 'http_proxy']: proxy.href } } : {}
    agent = new module.Agent({ keepAlive: true, ...proxyEnv })
    agents.set(key, agent)
  }
  return { request: module.request, agent }
}
