import { callQueue } from '#storage/call-queue.ts'
import type { GrantEnding } from '#storage/grant-transaction.ts'
import type { Committer } from './committer.ts'
import { type PackedAnswer, packAnswer, unpackAnswer } from './packed-answer.ts'
import { type PackedBatch, packBatch, unpackBatch } from './packed-batch.ts'
import type { Arguments, Call, Result, Verb } from './verbs.ts'

/**
 * The writer of one process, as ledgers in other processes use it: batches of calls go to it, and endings come back. All
 * that crosses can be cloned as messages between threads are. Who carries it may reject: then nobody knows what became of
 * the batch.
 */
export interface SharedWriter {
  /** Commits the calls together with what else waits there, and resolves when each is on disk or came to nothing. */
  commit(batch: PackedBatch): Promise<PackedAnswer>
  /** Tells of every ending, whichever process caused it. */
  onEndings(listener: (endings: readonly GrantEnding[]) => void): void
}

/** Lets others commit through this process's committer: their calls join its queue, so that one flush serves all. */
export async function commitForOthers(committer: Committer, batch: PackedBatch): Promise<PackedAnswer> {
  const settled = await Promise.allSettled(
    unpackBatch(batch).map(([verb, ...args]) => committer.call(verb, ...(args as Arguments<Verb>))),
  )
  return packAnswer({
    results: settled.map((one) => (one.status === 'fulfilled' ? one.value : undefined)),
    failures: settled.flatMap((one, index) => (one.status === 'rejected' ? [[index, whyOf(one.reason)] as const] : [])),
    // Not for good: whether anything is written is the writer's to say, each time it is asked.
    broken: null,
  })
}

/** A committer whose worker is another process's. */
export function remoteCommitter(writer: SharedWriter): Committer {
  const queue = callQueue<Call>(async (calls) => unpackAnswer(await writer.commit(packBatch(calls))))
  let closing: Promise<void> | null = null

  async function close(): Promise<void> {
    // Behind everything that waits, so that it is answered last. The other process keeps its worker.
    const last = queue.call(['probe'])
    queue.close()
    await last.catch(() => {})
  }

  return {
    call: <V extends Verb>(verb: V, ...args: Arguments<V>) => queue.call([verb, ...args]) as Promise<Result<V>>,
    callPatiently: <V extends Verb>(verb: V, ...args: Arguments<V>) =>
      queue.call([verb, ...args], true) as Promise<Result<V>>,
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** What the sentence of a `StorageUnavailable` was made of; the other process makes its own of it. */
function whyOf({ message, cause }: Error): string {
  return typeof cause === 'string' ? cause : message
}
