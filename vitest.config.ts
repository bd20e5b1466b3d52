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
    reporters: ['default', './test/support/vitest-skips.ts'],
  },
})
