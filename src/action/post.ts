import { getState, info, setFailed, summary, warning } from '@actions/core'
import type { Answer } from '#client/answer.ts'
import { readReceipt, revoke } from '#client/receipt.ts'
import type { Receipt } from '#domain/receipt.ts'
import { receiptMarkdown, verdict } from '#views/receipt.ts'
import type { ReceiptAnswer } from '#wire/receipt.ts'
import { restore, type Written } from './agents/home-files.ts'
import { explain } from './explain.ts'
import { idToken } from './id-token.ts'
import { type FailOn, readReportInputs } from './inputs.ts'
import { printable } from './printable.ts'
import { rfc3339 } from './rfc3339.ts'
import { state } from './state.ts'
import { StepError } from './step-error.ts'

/** To end the key: getting an ID token included. */
const REVOKE_MILLISECONDS = 10_000
/** To read the receipt where ending the key did not give it. */
const RECEIPT_MILLISECONDS = 3_000

/** Ends the key, tells what became of it, and leaves the machine as main found it. */
async function post(): Promise<void> {
  putFilesBack()
  const keyId = getState(state.keyId)
  if (keyId === '') return info('Nothing to revoke: this step minted no key.')

  const ended = await endKey(keyId)
  if (typeof ended === 'string')
    warning(
      `${ended}\nKey ${keyId} dies by itself at ${rfc3339(Number(getState(state.expiresAt)))}, ` +
        'or earlier if the broker learns that the job has ended.',
    )
  const account = typeof ended === 'string' ? null : ended
  const inputs = readReportInputs()
  if (account !== null) {
    info(printable(`Key ${keyId}: ${verdict(account.receipt)}.`))
    if (inputs.summary) await summarize(account)
  }
  const failures = inputs.failOn.filter((word) => SHOWN[word](account?.receipt ?? null))
  if (failures.length > 0)
    setFailed(`The input fail-on asks for it: ${failures.map((word) => MEANING[word]).join('; ')}.`)
}

/** @returns the account of the key that is over; or why it may still be alive */
async function endKey(keyId: string): Promise<ReceiptAnswer | string> {
  const broker = getState(state.broker)
  const deadline = performance.now() + REVOKE_MILLISECONDS
  let bearer: string
  try {
    bearer = await idToken(getState(state.audience), deadline)
  } catch (error) {
    if (error instanceof StepError) return `Cannot revoke key ${keyId}. ${error.message}`
    throw error
  }
  const answer = await revoke({ broker, keyId, bearer, deadline })
  if (answer.kind === 'ok') return answer.value
  const known: Answer<ReceiptAnswer> =
    answer.kind === 'unreachable'
      ? answer
      : await readReceipt({ broker, keyId, bearer, deadline: performance.now() + RECEIPT_MILLISECONDS })
  if (known.kind === 'ok' && known.value.receipt.ended_at !== null) return known.value
  return explain(`revoke key ${keyId}`, broker, answer)
}

async function summarize({ receipt, jws }: ReceiptAnswer): Promise<void> {
  try {
    await summary.addRaw(receiptMarkdown(receipt, { jws })).write()
  } catch (error) {
    warning(`Cannot write the receipt to the job summary: ${printable(String(error))}.`)
  }
}

/** What each word of `fail-on` looks for. `null`: the key could not be revoked. */
const SHOWN: Readonly<Record<FailOn, (receipt: Receipt | null) => boolean>> = {
  refused: (receipt) => receipt !== null && Object.values(receipt.activations.refused).some((count) => count > 0),
  exhausted: (receipt) => receipt !== null && receipt.activations.used >= receipt.activations.limit,
  unrevoked: (receipt) => receipt === null || receipt.ended_at === null,
}

const MEANING: Readonly<Record<FailOn, string>> = {
  refused: 'the broker refused requests (refused)',
  exhausted: 'all activations are spent (exhausted)',
  unrevoked: 'the key could not be revoked (unrevoked)',
}

function putFilesBack(): void {
  const files = getState(state.files)
  if (files === '') return
  for (const file of JSON.parse(files) as Written[]) {
    const reason = restore(file)
    if (reason !== null) info(`Left ${file.path} as it is: ${reason}.`)
  }
}

try {
  await post()
} catch (error) {
  warning(error instanceof StepError ? error.message : `Cannot finish the step: ${printable(String(error))}.`)
}
