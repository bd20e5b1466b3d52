import { createReadStream } from 'node:fs'
import type { AuditTrail } from '#broker/ports.ts'
import type { ChainFault, ChainHead, Witness } from '#domain/audit-chain.ts'
import type { TrailRecord } from '#domain/audit-trail.ts'
import { CHECKPOINT_CHAIN } from '#domain/checkpoint.ts'
import type { Receipt } from '#domain/receipt.ts'
import type { VerifySignature } from './verify-trail.ts'

/** An export as a trail. The file is read twice: what its ends are verified by comes last. */
export interface ExportedTrail extends AuditTrail {
  /** What is wrong with the last lines. */
  readonly faults: readonly ChainFault[]
}

/** Bytes of one line. An event has far less; the heads of a checkpoint may have more. */
const LONGEST_LINE = 64 * 1024 * 1024

/**
 * Opens what `till audit export` has written.
 *
 * @throws an error of the file system
 */
export async function openExport(path: string, verify: VerifySignature): Promise<ExportedTrail> {
  const witnesses = new Map<string, Witness[]>()
  const stored: { seq: number; jws: string; heads: ChainHead[] }[] = []
  const faults: ChainFault[] = []
  let closings = 0
  for await (const line of lines(path)) {
    const closing = closingOf(line)
    if (!closing) continue
    closings++
    if (closing.kind === 'checkpoint') {
      stored.push(closing)
      for (const head of closing.heads) vouch(witnesses, head, `checkpoint ${closing.seq}`)
    } else {
      const head = headOfReceipt(verify(closing.jws))
      if ('reason' in head) faults.push(badReceipt(closing.chain, head.reason))
      else vouch(witnesses, head, 'its receipt')
    }
  }
  if (closings === 0) faults.push(CUT_OFF)
  for (const list of witnesses.values()) list.sort((a, b) => a.seq - b.seq)

  return {
    faults,
    async *checkpoints() {
      yield* stored
    },
    records: (only) => records(path, witnesses, only),
    async close() {},
  }
}

function vouch(witnesses: Map<string, Witness[]>, { chain, seq, hash }: ChainHead, by: string): void {
  const known = witnesses.get(chain)
  if (known) known.push({ seq, hash, by })
  else witnesses.set(chain, [{ seq, hash, by }])
}

/** What a receipt says of its chain's end; or why it says nothing. */
function headOfReceipt(read: ReturnType<VerifySignature>): ChainHead | { readonly reason: string } {
  if (read.kind === 'unverified') return { reason: read.reason }
  const { key_id: chain, audit } = read.payload as Receipt
  return { chain, seq: audit.events, hash: audit.head }
}

function badReceipt(chain: string, found: string): ChainFault {
  return { kind: 'changed', chain, seq: 1, expected: 'a receipt that this broker signed', found }
}

const CUT_OFF: ChainFault = {
  kind: 'truncated',
  chain: CHECKPOINT_CHAIN,
  seq: 1,
  expected: 'the export to end with checkpoints or a receipt',
  found: 'neither, so that nothing shows whether it was cut off',
}

async function* records(
  path: string,
  witnesses: ReadonlyMap<string, readonly Witness[]>,
  only: string | undefined,
): AsyncGenerator<TrailRecord> {
  const seen = new Set<string>()
  let open: string | null = null
  let isAgain = false
  for await (const line of lines(path)) {
    if (closingOf(line)) continue
    const chain: string = chainOf(line) ?? open ?? '(no chain)'
    if (only !== undefined && chain !== only) continue
    if (chain !== open) {
      if (open !== null) yield { kind: 'end', end: null, misplaced: null }
      open = chain
      isAgain = seen.has(chain)
      seen.add(chain)
      yield { kind: 'chain', chain, witnesses: witnesses.get(chain) ?? [] }
    }
    const misplaced = isAgain ? { expected: 'the events of a chain in one place', found: 'more of them' } : null
    yield { kind: 'event', bytes: line, hash: null, misplaced }
  }
  if (open !== null) yield { kind: 'end', end: null, misplaced: null }
  for (const [chain, list] of witnesses) {
    if (seen.has(chain) || (only !== undefined && chain !== only)) continue
    yield { kind: 'chain', chain, witnesses: list }
    yield { kind: 'end', end: null, misplaced: null }
  }
}

type Closing =
  | { readonly kind: 'checkpoint'; readonly seq: number; readonly jws: string; readonly heads: ChainHead[] }
  | { readonly kind: 'receipt'; readonly chain: string; readonly jws: string }

const CHECKPOINT_MARK = Buffer.from(`"chain":"${CHECKPOINT_CHAIN}"`)
const RECEIPT_MARK = Buffer.from('"type":"receipt"}')

/**
 * The line of a checkpoint or a receipt; `null` for any other. Within a JSON text the marks can be no part of a string,
 * since its quotes would be escaped.
 */
function closingOf(line: Buffer): Closing | null {
  if (line.includes(CHECKPOINT_MARK)) return checkpointLine(line)
  if (line.subarray(-RECEIPT_MARK.length).equals(RECEIPT_MARK)) return receiptLine(line)
  return null
}

function checkpointLine(line: Buffer): Closing | null {
  const read = parsed(line)
  if (read?.['type'] !== 'checkpoint' || typeof read['jws'] !== 'string' || !Array.isArray(read['list'])) return null
  const heads = (read['list'] as unknown[]).map(headOf).filter((head) => head !== null)
  const seq = Number.isSafeInteger(read['seq']) ? (read['seq'] as number) : 0
  return { kind: 'checkpoint', seq, jws: read['jws'], heads }
}

/** `null` for what is no head: without it the list has another digest than the one that is signed. */
function headOf(entry: unknown): ChainHead | null {
  const [chain, seq, hash]: unknown[] = Array.isArray(entry) ? entry : []
  return typeof chain === 'string' && Number.isSafeInteger(seq) && typeof hash === 'string'
    ? { chain, seq: seq as number, hash }
    : null
}

function receiptLine(line: Buffer): Closing | null {
  const { chain, jws } = parsed(line) ?? {}
  return typeof chain === 'string' && typeof jws === 'string' ? { kind: 'receipt', chain, jws } : null
}

function parsed(line: Buffer): Record<string, unknown> | null {
  try {
    return JSON.parse(line.toString()) as Record<string, unknown> | null
  } catch {
    return null
  }
}

const CHAIN_MARK = Buffer.from('"chain":"')
const QUOTE = 0x22

/** The chain that a line names; the verifier compares it with what the event says when it is parsed. */
function chainOf(line: Buffer): string | null {
  const mark = line.indexOf(CHAIN_MARK)
  if (mark === -1) return null
  const begin = mark + CHAIN_MARK.length
  const end = line.indexOf(QUOTE, begin)
  return end === -1 || end - begin > 64 ? null : line.toString('latin1', begin, end)
}

const NEWLINE = 0x0a

/** The lines of a file as bytes, without their line ends; empty ones are left out. */
async function* lines(path: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let begin = 0
    for (let end = text.indexOf(NEWLINE); end !== -1; end = text.indexOf(NEWLINE, begin)) {
      if (end > begin) yield text.subarray(begin, end)
      begin = end + 1
    }
    rest = text.subarray(begin)
    if (rest.length > LONGEST_LINE) throw Object.assign(new Error('a line without an end'), { code: 'EFBIG' })
  }
  if (rest.length > 0) yield rest
}
