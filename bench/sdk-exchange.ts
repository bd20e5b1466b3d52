import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'

/** A request of OpenAI's SDK as Node's parser hands it over. */
export interface SdkRequest {
  readonly message: IncomingMessage
  readonly body: Buffer
}

/** An answer as the upstream connection hands it over. */
export interface RecordedAnswer {
  readonly status: number
  /** Name in lower case, value, name, value. */
  readonly headers: readonly string[]
  /** As they arrived. */
  readonly pieces: readonly Buffer[]
}

/** Has the SDK ask for a response, with instructions, a question and a tool: 1 KB. */
export async function sdkRequest(key: string): Promise<SdkRequest> {
  const recorded = Promise.withResolvers<SdkRequest>()
  const server = createServer(async (message, response) => {
    const body = Buffer.concat(await message.toArray())
    response.setHeader('content-type', 'application/json').setHeader('connection', 'close').end('{}')
    recorded.resolve({ message, body })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = new OpenAI({ apiKey: key, baseURL: `http://127.0.0.1:${port}/proxy/openai/v1` })
  await client.responses.create({
    model: 'gpt-5',
    instructions: 'You review one change. Say what is wrong with it, in one sentence for each fault, with its line.',
    input: [{ role: 'user', content: `Is this right?\n${CHANGE}` }],
    tools: [
      {
        type: 'function',
        name: 'read_file',
        description: 'Reads a file of the repository',
        parameters: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
        strict: false,
      },
    ],
    max_output_tokens: 400,
    store: false,
  })
  server.close()
  return recorded.promise
}

const CHANGE = `--- a/src/cart.ts
+++ b/src/cart.ts
@@ -12,7 +12,9 @@
 export function total(items: readonly Item[]): number {
-  return items.reduce((sum, { price }) => sum + price, 0)
+  let sum = 0
+  for (let i = 0; i <= items.length; i++) sum += items[i]!.price * items[i]!.count
+  return sum
 }
`.repeat(2)

/** Asks the provider of the benchmark, without the broker. */
export async function askProvider(port: number, credential: string, body: Buffer): Promise<RecordedAnswer> {
  const headers = { authorization: `Bearer ${credential}`, 'content-length': body.length }
  const [answer] = (await once(
    request({ host: '127.0.0.1', port, method: 'POST', path: '/v1/responses', headers }).end(body),
    'response',
  )) as [IncomingMessage]
  const raw = answer.rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text))
  return { status: answer.statusCode!, headers: raw, pieces: await answer.toArray() }
}
