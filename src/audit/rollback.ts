import type { Ledger, SignedCheckpoint } from '#broker/ports.ts'
import { CHECKPOINT_TYPE, checkpointHash } from '#domain/checkpoint.ts'
import type { CheckpointSink } from './checkpoint-sink.ts'
import { checkpointOf, sha256 } from './make-checkpoint.ts'
import type { VerifySignature } from './verify-trail.ts'

/**
 * Looks whether the ledger is older than the last checkpoint that is known of it: then it was put back to an earlier
 * state, and keys could be spent again (SECURITY, T38).
 *
 * @param sink where checkpoints are shipped to, if it can be asked what it holds
 * @returns `null` when it is not; else a sentence for the operator
 */
export async function rollback(
  ledger: Pick<Ledger, 'checkpoints' | 'behindCheckpoint'>,
  sink: CheckpointSink | null,
  verify: VerifySignature,
): Promise<string | null> {
  const behind = await ledger.behindCheckpoint()
  if (behind) {
    const { chain, expected, found } = behind
    return `${REFUSAL} the audit chain of ${chain} has ${found} events, and a checkpoint in the same database says ${expected}. ${REMEDY}`
  }
  let newest: string | null
  try {
    newest = sink?.newest() ?? null
  } catch (error) {
    return `${REFUSAL} the file of audit.checkpoints cannot be read (${(error as NodeJS.ErrnoException).code}), so that nothing shows whether the database is the newest. Make it readable for the broker.`
  }
  if (newest === null) return null
  const known = checkpointOf(newest)
  if (!known || verify(newest, CHECKPOINT_TYPE).kind !== 'verified')
    return `${REFUSAL} the last line of the file of audit.checkpoints is no checkpoint of this broker. Name another file if it is of another database or another master key.`
  const [stored] = await ledger.checkpoints(known.seq - 1, 1)
  if (stored?.seq === known.seq && hashOf(stored) === checkpointHash(known, sha256)) return null
  const what = stored ? `holds another checkpoint ${known.seq}` : `does not hold checkpoint ${known.seq}`
  return `${REFUSAL} the database ${what}, which was shipped at ${new Date(known.at * 1000).toISOString()}. ${REMEDY} If you put a backup back on purpose, revoke the keys that are alive (\`till keys list\`), and move the file of audit.checkpoints away.`
}

const REFUSAL = 'Cannot start on this database:'
const REMEDY =
  'It is older than it was, so that activations which were spent could be spent again. Put the newest copy back; `till audit verify` shows what is missing.'

function hashOf({ jws }: SignedCheckpoint): string | null {
  const checkpoint = checkpointOf(jws)
  return checkpoint && checkpointHash(checkpoint, sha256)
}
