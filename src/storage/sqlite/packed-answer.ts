import type { Activation } from '#domain/grant.ts'
import type { BatchAnswer } from '#storage/call-queue.ts'

/**
 * What a batch came to, as it crosses back: without names, as the batch did.
 *
 * `numbers`: of each result `used` and `limit` of an activation, or {@link NOTHING}, or {@link OTHER}. `others`: results
 * that cross as they are.
 */
export type PackedAnswer = readonly [
  numbers: readonly number[],
  others: readonly unknown[],
  failures: BatchAnswer['failures'],
  broken: BatchAnswer['broken'],
]

const NOTHING = -1
const OTHER = -2

export function packAnswer({ results, failures, broken }: BatchAnswer): PackedAnswer {
  const numbers: number[] = []
  const others: unknown[] = []
  for (const result of results) {
    if (result === undefined) numbers.push(NOTHING)
    else if (isActivation(result)) numbers.push(result.used, result.limit)
    else {
      numbers.push(OTHER)
      others.push(result)
    }
  }
  return [numbers, others, failures, broken]
}

function isActivation(result: unknown): result is Activation {
  return typeof result === 'object' && result !== null && 'kind' in result && result.kind === 'activation'
}

export function unpackAnswer([numbers, others, failures, broken]: PackedAnswer): BatchAnswer {
  const results: unknown[] = []
  let other = 0
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at]!
    if (number === NOTHING) results.push(undefined)
    else if (number === OTHER) results.push(others[other++])
    else results.push({ kind: 'activation', used: number, limit: numbers[++at]! } satisfies Activation)
  }
  return { results, failures, broken }
}
