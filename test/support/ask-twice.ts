/** Asks an origin twice, over a connection each, and prints what came of it. Usage: node ask-twice.ts ORIGIN */
import { http1Upstream } from '#proxy/http1-upstream.ts'
import { ask } from './ask.ts'

const upstream = http1Upstream({ connect: 5000, firstByte: 5000, streamIdle: 5000 })
const asked = []
for (let n = 0; n < 2; n++) asked.push(await ask(upstream, process.argv[2]!))
await upstream.close()
console.log(JSON.stringify(asked.map(({ status, body, failure }) => failure ?? { status, body })))
