/**
 * `npm run test:history -- --seconds 30`: clients mint, use, revoke and read keys of a broker that is killed and stopped
 * meanwhile; every key's history must be that of a bounded counter. `--clients 32`.
 */
import { parseArgs } from 'node:util'
import { startIssuer } from '#test/support/issuer.ts'
import { startProvider } from '#test/support/provider.ts'
import { spawnTill } from '#test/support/start-till.ts'
import { loadPolicy } from './load.ts'
import { shakenRun } from './shaken.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '30' }, clients: { type: 'string', default: '32' } },
})
const issuer = await startIssuer()
const provider = await startProvider()
const broker = await spawnTill({ issuer, provider, policies: [loadPolicy(40)] })
const { violations, keys, calls, unknown, kills, pauses } = await shakenRun({
  brokers: [broker],
  issuer,
  provider,
  seconds: Number(values.seconds),
  clients: Number(values.clients),
})
for (const violation of violations) console.log(violation)
console.log(`${calls} calls on ${keys} keys, ${unknown} of unknown outcome; ${kills} kills, ${pauses} pauses`)
console.log(`${keys} passed, ${violations.length} failed`)
await broker.close()
await provider.close()
await issuer.close()
process.exitCode = violations.length === 0 ? 0 : 1
