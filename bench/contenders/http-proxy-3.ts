/** `http-proxy-3` with a fixed header. Usage: node http-proxy-3.ts PORT_OF_PROVIDER CREDENTIAL MODULES; prints its port. */
import { Agent, createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'

const [, , providerPort, credential, modules] = process.argv
const { createProxyServer } = createRequire(`${modules}/`)('http-proxy-3')
const proxy = createProxyServer({
  target: `http://127.0.0.1:${providerPort}`,
  agent: new Agent({ keepAlive: true, maxSockets: 128 }),
  headers: { authorization: `Bearer ${credential}` },
})
proxy.on('error', () => {})
const server = createServer((request, response) => proxy.web(request, response))
server.listen(0, '127.0.0.1', 4096, () => console.log((server.address() as AddressInfo).port))
