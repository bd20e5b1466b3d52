import { bodyFuzzer } from './body.ts'
import { configFuzzer } from './config.ts'
import type { Fuzzer } from './fuzzer.ts'
import { plainFuzzer } from './plain.ts'
import { redactorFuzzer } from './redactor.ts'
import { targetFuzzer } from './target.ts'
import { tokenFuzzer } from './token.ts'
import { fuzzUpstream } from './upstream.ts'
import { wireFuzzer } from './wire.ts'

/** Our client of HTTP/1.1 against another's. */
const upstreamFuzzer: Fuzzer = {
  name: 'upstream',
  async round(seed) {
    const { cases, findings } = await fuzzUpstream(seed, (tried) => tried >= 100)
    if (findings.length > 0) throw new Error(findings[0])
    return cases
  },
}

/** Everything that hostile bytes reach. Some hold sockets: close them. */
export async function startFuzzers(): Promise<readonly Fuzzer[]> {
  return [
    targetFuzzer,
    bodyFuzzer,
    redactorFuzzer,
    configFuzzer,
    upstreamFuzzer,
    await tokenFuzzer(),
    await wireFuzzer(),
    await plainFuzzer(),
  ]
}
