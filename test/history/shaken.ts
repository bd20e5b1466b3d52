import { setTimeout as sleep } from 'node:timers/promises'
import type { Issuer } from '#test/support/issuer.ts'
import type { Provider } from '#test/support/provider.ts'
import type { SpawnedTill } from '#test/support/start-till.ts'
import { check } from './checker.ts'
import { type LoadedKey, startLoad } from './load.ts'

/** What a run under load came to. */
export interface ShakenRun {
  readonly keys: number
  readonly calls: number
  readonly unknown: number
  readonly kills: number
  readonly pauses: number
  /** One sentence each; none is what we want. */
  readonly violations: readonly string[]
}

/**
 * Lets clients use brokers on one store for a while, kills and stops brokers meanwhile, and checks the history of each
 * key, and that the provider has seen no more requests of it than its budget.
 *
 * @param brokers of one store, by one issuer, before one provider
 * @param shakes how the brokers are shaken; each is over when it resolves
 */
export async function shakenRun({
  brokers,
  issuer,
  provider,
  seconds,
  clients = 32,
}: {
  readonly brokers: readonly SpawnedTill[]
  readonly issuer: Issuer
  readonly provider: Provider
  readonly seconds: number
  readonly clients?: number
}): Promise<ShakenRun> {
  const load = startLoad({ brokers, issuer, clients })
  const until = performance.now() + seconds * 1000
  let kills = 0
  let pauses = 0
  for (let turn = 0; performance.now() < until; turn++) {
    await sleep(200 + Math.random() * 800)
    const broker = brokers[Math.floor(Math.random() * brokers.length)]!
    if (turn % 2 === 0) {
      kills++
      await broker.kill('SIGKILL')
      await broker.start()
    } else {
      pauses++
      broker.pause()
      await sleep(50 + Math.random() * 450)
      broker.resume()
    }
  }
  await load.stop()
  const calls = load.keys.flatMap((key) => key.calls)
  return {
    keys: load.keys.length,
    calls: calls.length,
    unknown: calls.filter((call) => call.end === null).length,
    kills,
    pauses,
    violations: load.keys.flatMap((key) => [...violationsOf(key), ...overspent(key, provider)]),
  }
}

function violationsOf({ id, calls, limit }: LoadedKey): string[] {
  const { isLinearizable, culprit } = check(calls, limit)
  return isLinearizable ? [] : [`${id}: no order of its ${calls.length} calls explains ${JSON.stringify(culprit)}`]
}

function overspent({ id, limit }: LoadedKey, provider: Provider): string[] {
  const arrived = provider.received.filter(({ body }) => body.includes(id)).length
  return arrived <= limit ? [] : [`${id}: the provider has seen ${arrived} requests, the budget was ${limit}`]
}
