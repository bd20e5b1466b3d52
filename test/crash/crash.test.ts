import { expect, test } from 'vitest'
import { crashRun } from './crash.ts'

test('a broker that is killed five times under load has spent nothing twice and forgotten nothing', async () => {
  const run = await crashRun(5)
  expect(run.kills.flatMap(({ faults }) => faults)).toEqual([])
  expect(run.violations).toEqual([])
  expect(run.overspent).toBe(0)
  expect(run.interrupted).toBeGreaterThan(0)
}, 60_000)
