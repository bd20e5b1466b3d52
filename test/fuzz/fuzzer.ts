import fc from 'fast-check'

/** Something that hostile bytes reach, and the law that holds for it whatever they are. */
export interface Fuzzer {
  readonly name: string
  /**
   * One round, which the seed alone decides.
   *
   * @returns how many cases it tried
   * @throws with the case that breaks the law, made as small as it gets
   */
  round(seed: number): Promise<number>
  close?(): Promise<void>
}

/** @param cases of one round */
export function propertyFuzzer<T>(
  name: string,
  cases: number,
  inputs: fc.Arbitrary<T>,
  law: (input: T) => void | Promise<void>,
): Fuzzer {
  return {
    name,
    async round(seed) {
      const checked = await fc.check(
        fc.asyncProperty(inputs, async (input) => law(input)),
        { seed, numRuns: cases },
      )
      if (checked.failed)
        throw new Error(`${await fc.asyncDefaultReportMessage(checked)}\n${(checked.errorInstance as Error)?.stack}`)
      return cases
    },
  }
}
