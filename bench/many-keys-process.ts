/**
 * Opens a ledger as a broker does and charges when it is told to: `many-keys-process.ts PATH KEYS`. Each line of its
 * input is a number of seconds and a number of uses; it answers each with the charges a second, by clients that draw a key
 * evenly from all, use it that often, and draw the next.
 */
import { createInterface } from 'node:readline'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { keyDigest, NOW, WAITING } from './many-keys.ts'

const [path, keys] = process.argv.slice(2)
const ledger = await openSqliteLedger({ path: path! })
let requests = 0
console.log('open')
for await (const line of createInterface(process.stdin)) {
  const [seconds, uses] = line.split(' ').map(Number)
  console.log(await charge(seconds! * 1000, uses!))
}
await ledger.close()

/** The whole way of a request through the ledger: the key is looked up by its digest, then charged. */
async function charge(milliseconds: number, uses: number): Promise<number> {
  const start = performance.now()
  let charges = 0
  const client = async () => {
    let key = 0
    for (let use = 0; performance.now() < start + milliseconds; use++) {
      if (use % uses === 0) key = Math.floor(Math.random() * Number(keys))
      const grant = await ledger.find(keyDigest(key))
      if (!grant) throw new Error('a key is missing')
      const request = {
        requestId: `r_${process.pid}_${requests++}`,
        provider: 'openai',
        route: 'POST /v1/responses',
        model: 'gpt-5-mini',
      }
      if ((await ledger.charge(grant, request, NOW)).kind !== 'activation') throw new Error('refused')
      charges++
    }
  }
  await Promise.all(Array.from({ length: WAITING }, client))
  return (charges * 1000) / (performance.now() - start)
}
