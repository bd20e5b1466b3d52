import { getInput, getState, info, setFailed, summary, warning } from '@actions/core'
import type { Answer } from '#client/answer.ts'
import { readReceipt, revoke } from '#client/receipt.ts'
import type { Receipt } from '#domain/receipt.ts'
import { receiptMarkdown, verdict } from '#views/receipt.ts'
import type { ReceiptAnswer } from '#wire/receipt.ts'
import { type HomeFile, restore } from './agents/home-files.ts'
import { explain } from './explain.ts'
import { idToken } from './id-token.ts'
import { type FailOn, type ReportInputs, readReportInputs } from './inputs.ts'
import { printable } from './printable.ts'
import { pullRequestNumber } from './pull-request.ts'
import { rfc3339 } from './rfc3339.ts'
import { state } from './state.ts'
import { StepError } from './step-error.ts'

/** To end the key: getting an ID token included. */
const REVOKE_MILLISECONDS = 10_000
/** To read the receipt where ending the key did not give it. */
const RECEIPT_MILLISECONDS = 3_000

/** All of post, where it writes a comment. */
const ALL_MILLISECONDS = 28_000

/**
 * Ends the key, tells what became of it, and leaves the machine as main found it: in this order, and whatever fails on
 * the way is a warning, so that a file or a summary that cannot be written keeps no key alive.
 */
async function post(): Promise<void> {
  const deadline = performance.now() + ALL_MILLISECONDS
  const keyId = getState(state.keyId)
  if (keyId === '') info('Nothing to revoke: this step minted no key.')
  else {
    const ended = await endKey(keyId)
    await guarded('report what became of the key', () => report(keyId, ended, deadline))
  }
  // Last, and a disk may take its time.
  await guarded('put files back', putFilesBack)
}

async function report(keyId: string, ended: ReceiptAnswer | string, deadline: number): Promise<void> {
  if (typeof ended === 'string')
    warning(
      `${ended}\nKey ${keyId} dies by itself at ${rfc3339(Number(getState(state.expiresAt)))}, ` +
        'or earlier if the broker learns that the job has ended.',
    )
  const account = typeof ended === 'string' ? null : ended
  const inputs = readReportInputs()
  if (account !== null) {
    info(printable(`Key ${keyId}: ${verdict(account.receipt)}.`))
    const untold = await comment(inputs, account, deadline)
    if (inputs.summary || untold !== null) await summarize(account, untold)
  } else info(`Key ${keyId}: unrevoked.`)
  const failures = inputs.failOn.filter((word) => SHOWN[word](account?.receipt ?? null))
  if (failures.length > 0)
    setFailed(`The input fail-on asks for it: ${failures.map((word) => MEANING[word]).join('; ')}.`)
}

async function guarded(what: string, act: () => void | Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    warning(error instanceof StepError ? error.message : `Cannot ${what}: ${printable(String(error))}.`)
  }
}

/** @returns the account of the key that is over; or why it may still be alive. Throws nothing */
async function endKey(keyId: string): Promise<ReceiptAnswer | string> {
  try {
    return await revokeKey(keyId)
  } catch (error) {
    return `Cannot revoke key ${keyId}: ${printable(String(error))}.`
  }
}

async function revokeKey(keyId: string): Promise<ReceiptAnswer | string> {
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

/**
 * Adds the job to the comment on its pull request, if it is for this step to do.
 *
 * @returns a sentence that says why it could not; `null` when there is nothing to explain
 */
async function comment(inputs: ReportInputs, { receipt, comment_by }: ReceiptAnswer, deadline: number) {
  if (inputs.comment === 'never' || (inputs.comment === 'auto' && comment_by === 'broker')) return null
  const number = pullRequestNumber()
  if (number === null) {
    if (inputs.comment === 'always') info('Wrote no comment: this run belongs to no pull request.')
    return null
  }
  const token = getInput('github-token')
  const why = token === '' ? 'the input github-token is empty' : await write(token, number, receipt, deadline)
  if (why === null) return null
  const sentence = `No comment on the pull request: it could not be written, because ${why}.`
  info(sentence)
  return sentence
}

async function write(token: string, number: number, receipt: Receipt, deadline: number): Promise<string | null> {
  const repository = process.env['GITHUB_REPOSITORY'] ?? ''
  const serverUrl = process.env['GITHUB_SERVER_URL'] ?? 'https://github.com'
  try {
    const { writeComment } = await import('./comment.ts')
    return await writeComment({ token, repository, number, receipt, serverUrl, deadline })
  } catch (error) {
    return `of a fault (${printable(String(error), 200)})`
  }
}

async function summarize({ receipt, jws }: ReceiptAnswer, note: string | null): Promise<void> {
  try {
    const markdown = receiptMarkdown(receipt, { jws })
    await summary.addRaw(note === null ? markdown : `${markdown}\n${note}\n`).write()
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
  for (const file of JSON.parse(files) as HomeFile[])
    try {
      const reason = restore(file, getState(state.keyId))
      if (reason !== null) info(`Left ${file.path} as it is: ${reason}.`)
    } catch (error) {
      warning(`Cannot put ${file.path} back: ${printable(error instanceof Error ? error.message : String(error))}.`)
    }
}

await post()
