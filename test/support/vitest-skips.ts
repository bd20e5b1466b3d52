import type { Reporter, TestModule, Vitest } from 'vitest/node'

/** Names each test that did not run, after all others: what this machine cannot show is not shown. */
export default class Skips implements Reporter {
  #isWhole = true

  onInit({ config }: Vitest): void {
    this.#isWhole = config.testNamePattern === undefined
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (!this.#isWhole) return
    const skipped = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => `${module.relativeModuleId} > ${test.fullName}`),
    )
    if (skipped.length === 0) return
    process.stdout.write(`\nNot run on this machine:\n${skipped.map((name) => `  ${name}\n`).join('')}`)
  }
}
