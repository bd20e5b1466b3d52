import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Fuzzer } from './fuzzer.ts'
import { startFuzzers } from './fuzzers.ts'

/** A short round of what `npm run fuzz` does for as long as it is told; always the same, so that it finds or does not. */
const SEED = 20_261_120

let fuzzers: readonly Fuzzer[]
beforeAll(async () => {
  fuzzers = await startFuzzers()
})
afterAll(async () => {
  for (const { close } of fuzzers) await close?.()
})

test.each(['target', 'body', 'redactor', 'config', 'upstream', 'token', 'wire', 'plain'])(
  'G16: a round of mutated input finds nothing: %s',
  async (name) => {
    expect(await fuzzers.find((fuzzer) => fuzzer.name === name)!.round(SEED)).toBeGreaterThan(0)
  },
)
