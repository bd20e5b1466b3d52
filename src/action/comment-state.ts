import { MAX_ACTIVATIONS } from '#domain/policy.ts'
import { type JobRow, MOST_CODES, MOST_MODELS } from '#views/job-row.ts'
import { endReason } from '#wire/receipt.ts'
import { integer, list, nullable, numericDate, object, record, type Shape, text } from '#wire/shape.ts'

/** Rows that a comment carries along. GitHub takes 64 KiB of text, and a row is some 600 bytes of it. */
export const MOST_CARRIED = 50

/**
 * The rows of a comment as a line that GitHub does not show: the next job reads from it what those before it wrote.
 * Base64url, so that nothing in it can end the line.
 */
export function carried(rows: readonly JobRow[]): string {
  return `<!-- till:rows ${Buffer.from(JSON.stringify(rows)).toString('base64url')} -->`
}

/**
 * The rows that a comment carries. Whoever may write to the repository may have changed them, so they are read like
 * anything that comes from outside: by their shape, or not at all.
 */
export function readCarried(body: string): JobRow[] {
  const encoded = /<!-- till:rows ([A-Za-z0-9_-]{1,65536}) -->/.exec(body)?.[1]
  if (encoded === undefined) return []
  try {
    return rows(JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')), '')
  } catch {
    return []
  }
}

const line = text(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{0,256}$/, 'a line of at most 256 characters')
const digits = text(/^[0-9]{1,20}$/, 'a number as text')
const count = integer(0, Number.MAX_SAFE_INTEGER)

const row: Shape<JobRow> = object(
  {
    key_id: line,
    policy: line,
    repository: line,
    run_id: digits,
    run_attempt: digits,
    check_run_id: nullable(digits),
    sha: nullable(line),
    workflow: nullable(line),
    limit: integer(1, MAX_ACTIVATIONS),
    used: integer(0, MAX_ACTIVATIONS),
    refused: record(/^[a-z_]{1,64}$/, count, MOST_CODES),
    minted_at: numericDate,
    expires_at: numericDate,
    ended_at: nullable(numericDate),
    end_reason: nullable(endReason),
    models: list(line, 0, MOST_MODELS),
    input_tokens: nullable(count),
    output_tokens: nullable(count),
  },
  {},
  'ignore',
)
const rows = list(row, 0, MOST_CARRIED)
