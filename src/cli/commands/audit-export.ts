import type { Command } from 'commander'
import { Failure } from '#cli/failure.ts'
import { writeOut } from '#cli/standard-output.ts'
import { withLedger } from '#cli/with-ledger.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import { receiptOf } from '#domain/receipt.ts'
import type { OpenLedger } from '#serve.ts'

/** Writes to standard output; a reader that goes away ends it. */
export function auditExport({ key }: { readonly key?: string }, command: Command): Promise<void> {
  return withLedger(command, (opened) => (key === undefined ? exportAll(opened) : exportKey(opened, key)))
}

/** With a checkpoint of this moment, so that every event is covered that was there when it began. */
async function exportAll({ ledger, seal }: OpenLedger): Promise<void> {
  const { exportTrail, makeCheckpoint } = await import('#serve.ts')
  const signer = await receiptSigner({ ledger, seal })
  await makeCheckpoint({ ledger, signer }, Date.now() / 1000)
  const trail = await ledger.openTrail()
  try {
    await write(exportTrail(trail))
  } finally {
    await trail.close()
  }
}

async function exportKey({ ledger, seal }: OpenLedger, key: string): Promise<void> {
  const { exportChain } = await import('#serve.ts')
  const grant = await ledger.findById(key)
  if (!grant) throw new Failure(`Cannot export key ${key}: this ledger has none with that id.`)
  await ledger.state(grant, Date.now() / 1000)
  const account = receiptOf()
  for await (const { event, hash } of ledger.events(key)) account.add(event, hash)
  const receipt = account.receipt()
  const { sign } = await receiptSigner({ ledger, seal })
  const trail = await ledger.openTrail()
  try {
    await write(exportChain(trail, key, await sign(receipt)))
  } finally {
    await trail.close()
  }
}

const NEWLINE = Buffer.from('\n')
/** Bytes that are written at once. */
const CHUNK = 256 * 1024

async function write(lines: AsyncIterable<Uint8Array>): Promise<void> {
  let waiting: Uint8Array[] = []
  let size = 0
  const flush = async () => {
    await writeOut(Buffer.concat(waiting))
    waiting = []
    size = 0
  }
  for await (const line of lines) {
    waiting.push(line, NEWLINE)
    size += line.length + 1
    if (size >= CHUNK) await flush()
  }
  await flush()
}
