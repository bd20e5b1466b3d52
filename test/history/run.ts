/**
 * `npm run test:history -- --seconds 30 --store postgres`: clients mint, use, revoke and read keys of brokers that are
 * killed and stopped meanwhile; every key's history must be that of a bounded counter. `--store sqlite`, the default, is
 * one broker on a file, `postgres` three on a server; `--clients 32`.
 */
import { parseArgs } from 'node:util'
import { STORES, startBrokers } from './brokers.ts'
import { shakenRun } from './shaken.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    clients: { type: 'string', default: '32' },
    store: { type: 'string', default: 'sqlite' },
  },
})
const store = STORES.find((name) => name === values.store)
if (!store) throw new Error(`--store: expected one of ${STORES.join(', ')}, got ${values.store}`)

const shared = await startBrokers(store)
const { violations, keys, calls, unknown, kills, pauses } = await shakenRun(shared, {
  seconds: Number(values.seconds),
  clients: Number(values.clients),
})
for (const violation of violations) console.log(violation)
console.log(
  `${calls} calls on ${keys} keys, ${unknown} of unknown outcome; ` +
    `${kills} kills, ${pauses} pauses; brokers on ${store}: ${shared.brokers.length}`,
)
console.log(`${keys - violations.length} passed, ${violations.length} failed`)
await shared.close()
process.exitCode = violations.length === 0 ? 0 : 1
