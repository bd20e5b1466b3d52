import { getInput, getState, info, setFailed, summary, warning } from '@actions/core'
import type { Receipt } from '#domain/receipt.ts'
import { receiptMarkdown, verdict } from '#views/receipt.ts'
import type { ReceiptAnswer } from '#wire/receipt.ts'
import { type HomeFile, restore } from './agents/home-files.ts'
import { type Ending, endKey } from './end-key.ts'
import { type FailOn, type ReportInputs, readReportInputs } from './inputs.ts'
import { printable } from './printable.ts'
import { pullRequestNumber } from './pull-request.ts'
import { state } from './state.ts'
import { StepError } from './step-error.ts'

/** All of post, where it writes a comment. */
const ALL_MILLISECONDS = 28_000

/**
 * Ends the key, tells what became of it, and leaves the machine as main found it: in this order, and whatever fails on
 * the way is a warning, so that a file or a summary that cannot be written keeps no key alive.
 */
async function post(): Promise<void> {
  const deadline = performance.now() + ALL_MILLISECONDS
  const ending = await endKey()
  if (ending === null) info('Nothing to revoke: this step minted no key.')
  else await guarded('report what became of the key', () => report(ending, deadline))
  // Last, and a disk may take its time.
  await guarded('put files back', putFilesBack)
}

async function report(ending: Ending, deadline: number): Promise<void> {
  const { keyId, alive, account } = ending
  if (alive !== null) warning(alive)
  const inputs = readReportInputs()
  if (account !== null) {
    info(printable(`Key ${keyId}: ${verdict(account.receipt)}.`))
    let untold: string | null = null
    await guarded('write the comment', async () => {
      untold = await comment(inputs, account, deadline)
    })
    if (inputs.summary) await guarded('write the receipt to the job summary', () => summarize(account, untold))
  } else if (keyId !== null) info(`Key ${keyId}: unrevoked.`)
  const failures = inputs.failOn.filter((word) => SHOWN[word](ending))
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
  const markdown = receiptMarkdown(receipt, { jws })
  await summary.addRaw(note === null ? markdown : `${markdown}\n${note}\n`).write()
}

/** What each word of `fail-on` looks for. */
const SHOWN: Readonly<Record<FailOn, (ending: Ending) => boolean>> = {
  refused: ({ account }) => Object.values(account?.receipt.activations.refused ?? {}).some((count) => count > 0),
  exhausted: ({ account }) => account !== null && isSpent(account.receipt),
  unrevoked: ({ alive }) => alive !== null,
}

function isSpent({ activations: { used, limit } }: Receipt): boolean {
  return used >= limit
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

await guarded('finish the step', post)
