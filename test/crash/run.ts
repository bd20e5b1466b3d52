/**
 * `npm run test:crash -- --kills 200`: kills a broker under load at random moments, and after each restart compares what
 * the provider has seen, what clients were told, what the ledger and the audit chains say.
 */
import { parseArgs } from 'node:util'
import { crashRun } from './crash.ts'

/** The longest that a start after a kill may take. Milliseconds. */
const RECOVERY = 5000

const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' } } })
let count = 0
const run = await crashRun(Number(values.kills), ({ faults }) => {
  count++
  for (const fault of faults) console.log(`kill ${count}: ${fault}`)
  if (count % 20 === 0) console.log(`${count} kills`)
})
for (const id of run.violations) console.log(`${id}: its history is not that of a bounded counter`)
const survived = run.kills.filter(({ faults, recovery }) => faults.length === 0 && recovery < RECOVERY).length
const slowest = Math.max(...run.kills.map(({ recovery }) => recovery))
console.log(
  `${run.requests} requests of ${run.keys} keys reached the provider, ${run.interrupted} calls were interrupted; ` +
    `${run.overspent} overspent, slowest recovery ${Math.round(slowest)} ms, a clean start takes ${Math.round(run.cleanStart)} ms`,
)
const failed = count - survived + run.violations.length
console.log(`${survived} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
