import { type BatchAnswer, nothing } from '#storage/call-queue.ts'
import type { GrantEnding } from '#storage/grant-transaction.ts'
import { faultOf } from './faults.ts'
import type { Store } from './store.ts'
import { CommitFailed, type Transaction, transact } from './transaction.ts'
import { type Call, verbs } from './verbs.ts'

interface BatchRun {
  readonly answer: BatchAnswer
  readonly endings: readonly GrantEnding[]
}

/**
 * Runs calls in one transaction. A call that fails by a fault of its own must not take the others with it: each is then
 * run again in a transaction of its own.
 */
export function runBatch(store: Store, calls: readonly Call[]): BatchRun {
  try {
    const { value, endings } = transact(store, (transaction) => calls.map((call) => run(transaction, call)))
    return { answer: { results: value, failures: [], broken: null }, endings }
  } catch (error) {
    const isCommit = error instanceof CommitFailed
    const fault = faultOf(isCommit ? error.cause : error)
    if (fault.kind === 'call' && !isCommit && calls.length > 1) return runEach(store, calls)
    const isFatal = fault.kind === 'fatal' || (fault.kind === 'call' && isCommit)
    return refused(calls, fault.name, isFatal)
  }
}

/** A batch that came to nothing. */
export function refused(calls: readonly Call[], why: string, isBroken = true): BatchRun {
  return { answer: nothing(calls, why, isBroken ? why : null), endings: [] }
}

function runEach(store: Store, calls: readonly Call[]): BatchRun {
  let broken: string | null = null
  const runs = calls.map((call) => {
    const one = broken === null ? runBatch(store, [call]) : refused([call], broken)
    broken ??= one.answer.broken
    return one
  })
  return {
    answer: {
      results: runs.map(({ answer }) => answer.results[0]),
      failures: runs.flatMap(({ answer }, index) => answer.failures.map(([, why]) => [index, why] as const)),
      broken,
    },
    endings: runs.flatMap(({ endings }) => endings),
  }
}

function run(transaction: Transaction, [verb, ...args]: Call): unknown {
  return (verbs[verb] as (transaction: Transaction, ...args: readonly unknown[]) => unknown)(transaction, ...args)
}
