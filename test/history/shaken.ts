import { setTimeout as sleep } from 'node:timers/promises'
import type { Provider } from '#test/support/provider.ts'
import type { SpawnedTill } from '#test/support/start-till.ts'
import type { SharedBrokers } from './brokers.ts'
import { check } from './checker.ts'
import { type LoadedKey, startLoad } from './load.ts'

/** What a run under load came to. */
export interface ShakenRun {
  readonly keys: number
  readonly calls: number
  readonly unknown: number
  readonly kills: number
  readonly pauses: number
  /** One line for each key whose history cannot be; none is what we want. */
  readonly violations: readonly string[]
}

/** How long a broker is left in peace before the next shake, times the number of brokers. Milliseconds. */
const REST = { least: 200, most: 1000 }
/** How long a broker stands still: as often 50 to 500 as 500 to 5000, when others no longer wait for it. Milliseconds. */
const PAUSE = { least: 50, most: 5000 }

/**
 * Lets clients use brokers on one store for a while, kills and stops each of them meanwhile, and checks the history of
 * each key, and that the provider has seen no more requests of it than its budget.
 */
export async function shakenRun(
  { brokers, issuer, provider }: Pick<SharedBrokers, 'brokers' | 'issuer' | 'provider'>,
  { seconds, clients = 32 }: { readonly seconds: number; readonly clients?: number },
): Promise<ShakenRun> {
  const load = startLoad({ brokers, issuer, clients })
  const until = performance.now() + seconds * 1000
  let kills = 0
  let pauses = 0
  /** A kill and a pause by turns, each at least once. */
  async function shake(broker: SpawnedTill, first: number): Promise<void> {
    for (let turn = first; ; turn++) {
      await sleep(brokers.length * (REST.least + Math.random() * (REST.most - REST.least)))
      if (performance.now() > until && turn >= first + 2) return
      if (turn % 2 === 0) {
        kills++
        await broker.kill('SIGKILL')
        await broker.start()
      } else {
        pauses++
        broker.pause()
        await sleep(PAUSE.least * (PAUSE.most / PAUSE.least) ** Math.random())
        broker.resume()
      }
    }
  }
  await Promise.all(brokers.map(shake))
  await load.stop()
  const calls = load.keys.flatMap((key) => key.calls)
  return {
    keys: load.keys.length,
    calls: calls.length,
    unknown: calls.filter((call) => call.end === null).length,
    kills,
    pauses,
    violations: load.keys.flatMap((key) => {
      const faults = [...inexplicable(key), ...overspent(key, provider)]
      return faults.length === 0 ? [] : [`${key.id}: ${faults.join('; ')}`]
    }),
  }
}

function inexplicable({ calls, limit }: LoadedKey): string[] {
  const { isLinearizable, culprit } = check(calls, limit)
  return isLinearizable ? [] : [`no order of its ${calls.length} calls explains ${JSON.stringify(culprit)}`]
}

function overspent({ id, limit }: LoadedKey, provider: Provider): string[] {
  const arrived = provider.received.filter(({ body }) => body.includes(id)).length
  return arrived <= limit ? [] : [`the provider has seen ${arrived} requests, the budget was ${limit}`]
}
