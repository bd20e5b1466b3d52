import { afterEach, expect, test } from 'vitest'
import { type SharedBrokers, STORES, startBrokers } from './brokers.ts'
import { shakenRun } from './shaken.ts'

let shared: SharedBrokers
afterEach(() => shared.close())

test.for(STORES)(
  'what 32 clients see of their keys over kills and pauses is what a bounded counter would show, on %s',
  async (store) => {
    shared = await startBrokers(store)
    const run = await shakenRun(shared, { seconds: 5 })
    expect(run.violations).toEqual([])
    expect(run.calls).toBeGreaterThan(100)
    expect(run.kills).toBeGreaterThan(0)
    expect(run.pauses).toBeGreaterThan(0)
  },
)
