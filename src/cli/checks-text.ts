import type { CheckResult } from '#domain/decide.ts'
import { columns } from './text.ts'

/** A decision for a terminal: one line a check of a policy. */
export function checksText(checks: readonly CheckResult[]): string {
  return columns(
    checks.map(({ policy, check, passed, expected, found }) => [
      passed ? 'pass' : 'FAIL',
      policy,
      check,
      `found ${found}`,
      `expected ${expected}`,
    ]),
  )
}
