/** `@fastify/reply-from` with a fixed header. Usage: as `http-proxy-3.ts`. */
import { createRequire } from 'node:module'

const [, , providerPort, credential, modules] = process.argv
const load = createRequire(`${modules}/`)
const app = load('fastify')({ logger: false, keepAliveTimeout: 65_000 })
app.register(load('@fastify/reply-from'), {
  base: `http://127.0.0.1:${providerPort}`,
  undici: { connections: 128, pipelining: 1 },
})
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', (_request: unknown, payload: unknown, done: (error: null, body: unknown) => void) =>
  done(null, payload),
)
const authorization = `Bearer ${credential}`
app.all('/*', (request: { url: string }, reply: { from(url: string, options: object): void }) => {
  reply.from(request.url, {
    rewriteRequestHeaders: (_: unknown, headers: Record<string, string>) => ({ ...headers, authorization }),
  })
})
await app.listen({ port: 0, host: '127.0.0.1' })
console.log(app.server.address().port)
