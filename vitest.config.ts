import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// Tests start hundreds of brokers and ledgers, each from TypeScript: what Node made of a file is kept for the next one.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/node')

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/agents/**', 'node_modules/**'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Most tests wait for processes, disks and clocks: two files at a time take little more than half as long, on two cores.
    maxWorkers: 2,
    reporters: ['default', './test/support/vitest-skips.ts'],
  },
})
