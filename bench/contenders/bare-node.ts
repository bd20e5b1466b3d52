/**
 * What Node can do without Till: `node:http` in, undici `dispatch` out, the credential put in; nothing is checked,
 * counted or stored. Usage: node bare-node.ts PROVIDER_PORT CREDENTIAL; prints its port.
 */
import { createServer } from 'node:http'
import { Pool } from 'undici'

const [, , providerPort, credential] = process.argv
const pool = new Pool(`http://127.0.0.1:${providerPort}`, { connections: null, pipelining: 1 })
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'authorization'])

const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0 }, (request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    const headers: Record<string, string> = { authorization: `Bearer ${credential}` }
    for (const [name, value] of Object.entries(request.headers))
      if (!HOP_BY_HOP.has(name) && typeof value === 'string') headers[name] = value
    const body = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    pool.dispatch(
      { path: request.url!, method: request.method as 'POST', headers, body },
      {
        onRequestStart() {},
        onResponseStart(_controller, status, answered) {
          for (const name of HOP_BY_HOP) delete answered[name]
          response.writeHead(status, answered as Record<string, string>)
        },
        onResponseData(controller, chunk) {
          if (response.write(chunk)) return
          controller.pause()
          response.once('drain', () => controller.resume())
        },
        onResponseEnd() {
          response.end()
        },
        onResponseError() {
          response.destroy()
        },
      },
    )
  })
})
server.listen(0, '127.0.0.1', 4096, () => console.log((server.address() as { port: number }).port))
