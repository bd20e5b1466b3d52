import { type ReceiptAnswer, type RevokeAnswer, receiptAnswer } from '#wire/receipt.ts'
import type { Answer } from './answer.ts'
import { exchange, nonsense } from './exchange.ts'
import { repeatOnce } from './repeat.ts'

/** 1 MiB: a receipt lists every route and model that was used. */
export const MAX_RECEIPT_BYTES = 1_048_576
/** So that a lost answer leaves time for a second try within the 10 s that ending a key may take. */
const TRY_MILLISECONDS = 6_000

export interface OfKey {
  /** Its URL, without a slash at the end. */
  readonly broker: string
  readonly keyId: string
  /** The key, or an ID token of the same job. Neither request consumes it. */
  readonly bearer: string
  /** On `performance.now()`'s scale. */
  readonly deadline: number
}

/** Ends a key. Repeating it is harmless, so a lost answer is asked for once more. */
export async function revoke(key: OfKey): Promise<Answer<RevokeAnswer>> {
  return sameKey(key, await repeatOnce(key.deadline, (left) => ask('DELETE', '', key, left())))
}

/** Reads the account of a key, alive or ended. */
export async function readReceipt(key: OfKey): Promise<Answer<ReceiptAnswer>> {
  return sameKey(key, await repeatOnce(key.deadline, (left) => ask('GET', '/receipt', key, left())))
}

function ask(method: 'GET' | 'DELETE', path: string, key: OfKey, milliseconds: number): Promise<Answer<ReceiptAnswer>> {
  return exchange({
    method,
    url: `${key.broker}/v1/keys/${key.keyId}${path}`,
    headers: { authorization: `Bearer ${key.bearer}` },
    status: 200,
    shape: receiptAnswer,
    limit: MAX_RECEIPT_BYTES,
    timeoutMilliseconds: Math.min(milliseconds, TRY_MILLISECONDS),
  })
}

function sameKey(key: OfKey, answer: Answer<ReceiptAnswer>): Answer<ReceiptAnswer> {
  return answer.kind === 'ok' && answer.value.receipt.key_id !== key.keyId
    ? nonsense('receipt.key_id: expected the key that was asked for')
    : answer
}
