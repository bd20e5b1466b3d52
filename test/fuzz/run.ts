/**
 * Attacks with mutated bytes until the time is over or something gives.
 *
 * Usage: npm run fuzz -- [--seconds 60] [--seed N] [--only NAME]
 *
 * A finding is printed with the seed that brings it back: `--only NAME --seed N --seconds 1`.
 */
import { parseArgs } from 'node:util'
import { startFuzzers } from './fuzzers.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' }, only: { type: 'string' } },
})
const first = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed)
const all = await startFuzzers()
const fuzzers = all.filter(({ name }) => values.only === undefined || name === values.only)
const cases = new Map(fuzzers.map(({ name }) => [name, 0]))
const endsAt = performance.now() + Number(values.seconds) * 1000
console.log(`fuzzing ${fuzzers.map(({ name }) => name).join(', ')} for ${values.seconds} s from seed ${first}`)

let isFound = false
let seed = first
for (; !isFound && (seed === first || performance.now() < endsAt); seed++)
  for (const { name, round } of fuzzers) {
    try {
      cases.set(name, cases.get(name)! + (await round(seed)))
    } catch (error) {
      isFound = true
      console.log(
        `\n${name} gave at seed ${seed} (again: --only ${name} --seed ${seed} --seconds 1)\n${(error as Error).message}`,
      )
    }
  }

for (const [name, count] of cases) console.log(`${name}: ${count} cases`)
console.log(`${seed - first} rounds, ${isFound ? 'A FINDING' : 'no finding'}`)
for (const { close } of all) await close?.()
process.exit(isFound ? 1 : 0)
