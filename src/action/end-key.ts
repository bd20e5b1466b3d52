import { getState, info } from '@actions/core'
import type { Answer } from '#client/answer.ts'
import { mint } from '#client/mint.ts'
import { readReceipt, revoke } from '#client/receipt.ts'
import type { ReceiptAnswer } from '#wire/receipt.ts'
import { explain, FIND, revoking } from './explain.ts'
import { idToken } from './id-token.ts'
import { maskKey } from './mask.ts'
import { printable } from './printable.ts'
import { rfc3339 } from './rfc3339.ts'
import { type Begun, state } from './state.ts'
import { StepError } from './step-error.ts'

/** To end the key: getting an ID token included. */
const REVOKE_MILLISECONDS = 10_000
/** Of these, to get the key of a mint whose answer main did not get. */
const FIND_MILLISECONDS = 6_000
/** To read the receipt where ending the key did not give it: getting an ID token included. */
const RECEIPT_MILLISECONDS = 3_000
/** What a request that is still on its way, and clocks that differ, may add to the end of a key. */
const LEEWAY_SECONDS = 60

/** What became of the key. */
export interface Ending {
  /** `null`: it is not known whether there is one. */
  readonly keyId: string | null
  /** Why it may be alive, and until when; `null`: it is over. */
  readonly alive: string | null
  /** `null`: the broker did not give it. */
  readonly account: ReceiptAnswer | null
}

/** Ends the key that main left, with a fresh ID token. Throws nothing. @returns `null` when main minted none */
export async function endKey(): Promise<Ending | null> {
  const keyId = getState(state.keyId)
  if (keyId === '' && getState(state.begun) === '') return null
  const deadline = performance.now() + REVOKE_MILLISECONDS
  const until = keyId === '' ? untilAtMost() : untilExpiry(keyId)
  try {
    return keyId === ''
      ? await endUnknown(until, deadline)
      : await end({ keyId, until, deadline, bearer: (by) => idToken(getState(state.audience), by) })
  } catch (error) {
    const why = error instanceof StepError ? error.message : `${printable(String(error))}.`
    return {
      keyId: keyId || null,
      account: null,
      alive: `Cannot revoke ${keyId ? `key ${keyId}` : A_KEY}. ${why}\n${until}`,
    }
  }
}

const A_KEY = 'the key that this step may have minted'

interface Ended {
  readonly keyId: string
  /** A sentence. */
  readonly until: string
  readonly deadline: number
  /** The key, or an ID token of the job, got by a time on `performance.now()`'s scale. */
  readonly bearer: (by: number) => Promise<string>
}

async function end({ keyId, until, deadline, bearer }: Ended): Promise<Ending> {
  const broker = getState(state.broker)
  const answer = await revoke({ broker, keyId, bearer: await bearer(deadline), deadline })
  // Lost, or refused: the receipt says what became of the key, and what it did.
  const known = answer.kind === 'ok' ? answer : await receiptOf({ broker, keyId, bearer })
  const account = known?.kind === 'ok' ? known.value : null
  if (account !== null && account.receipt.ended_at !== null) return { keyId, alive: null, account }
  const why =
    answer.kind === 'ok'
      ? `Cannot revoke key ${keyId}: the broker agreed to, and its receipt shows the key alive.`
      : explain(revoking(keyId), broker, answer)
  return { keyId, alive: `${why}\n${until}`, account }
}

async function receiptOf(
  key: Pick<Ended, 'keyId' | 'bearer'> & { broker: string },
): Promise<Answer<ReceiptAnswer> | null> {
  const deadline = performance.now() + RECEIPT_MILLISECONDS
  try {
    return await readReceipt({ ...key, bearer: await key.bearer(deadline), deadline })
  } catch (error) {
    if (error instanceof StepError) return null
    throw error
  }
}

/**
 * Ends the key of a mint whose answer main did not get: the same mint again gives a key in its place, which is ended. If
 * the first mint never arrived, that is a key of its own.
 */
async function endUnknown(until: string, deadline: number): Promise<Ending> {
  const [broker, audience] = [getState(state.broker), getState(state.audience)]
  const by = performance.now() + FIND_MILLISECONDS
  const { answer, leftOver } = await mint({
    broker,
    idToken: () => idToken(audience, by),
    ...(JSON.parse(getState(state.begun)) as Begun),
    deadline: by,
  })
  const held = answer.kind === 'ok' ? answer.value : leftOver
  if (typeof held === 'string') {
    const why = answer.kind === 'ok' ? '' : explain(FIND, broker, answer)
    return { keyId: null, account: null, alive: `${UNKNOWN} ${why}\n${until}` }
  }
  maskKey(held.key)
  info(`${UNKNOWN} The same mint again gave key ${held.id}, in place of any before it.`)
  return end({
    keyId: held.id,
    until: answer.kind === 'ok' ? untilExpiry(held.id, answer.value.expires_at) : until,
    deadline,
    bearer: async () => held.key,
  })
}

const UNKNOWN = 'Main began a mint and did not learn what became of it.'
const OR_EARLIER = 'or earlier if the broker learns that the job has ended.'

function untilExpiry(keyId: string, expiresAt = Number(getState(state.expiresAt))): string {
  // Zero: main got an answer that did not tell.
  return expiresAt > 0
    ? `Key ${keyId} dies by itself at ${rfc3339(expiresAt)}, ${OR_EARLIER}`
    : untilAtMost(`Key ${keyId}`)
}

/** For a key of which no more is known than what was asked for. */
function untilAtMost(subject = 'A key that was minted all the same'): string {
  const { expires_in } = (JSON.parse(getState(state.begun) || '{"request":{}}') as Begun).request
  const when =
    expires_in === undefined
      ? 'when its time is over, which the policy sets (expires_in: 7 days at most)'
      : `at ${rfc3339(Date.now() / 1000 + expires_in + LEEWAY_SECONDS)} at the latest`
  return `${subject} dies by itself ${when}, ${OR_EARLIER}`
}
