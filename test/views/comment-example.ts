import type { JobRow } from '#views/job-row.ts'

const at = (time: string) => Date.parse(`2026-11-20T${time}Z`) / 1000

export const row: JobRow = {
  key_id: 'k_4fXq0vJd2mTzR8sWbN6yLp',
  policy: 'review',
  repository: 'acme/web',
  run_id: '7001',
  run_attempt: '1',
  check_run_id: '90001',
  sha: 'c0ffee',
  workflow: 'review.yml',
  limit: 25,
  used: 12,
  refused: {},
  minted_at: at('13:40:00'),
  expires_at: at('14:40:00'),
  ended_at: at('14:03:07'),
  end_reason: 'revoked_by_job',
  models: ['gpt-5-mini'],
  input_tokens: 12_345,
  output_tokens: 678,
}
/** What docs/comment.md shows. */
export const EXAMPLE: readonly JobRow[] = [
  { ...row, check_run_id: '90003', refused: { scope_denied: 3 }, minted_at: at('13:42:00') },
  {
    ...row,
    key_id: 'k_9aZr1cKe5nUyP3tQdM7xHw',
    check_run_id: '90002',
    limit: 5,
    used: 5,
    refused: { activations_exhausted: 2, scope_denied: 1 },
    end_reason: 'exhausted',
    minted_at: at('13:41:00'),
    models: ['gpt-5-mini', 'claude-haiku-4-5'],
    input_tokens: 48_210,
    output_tokens: 9_120,
  },
  { ...row, key_id: 'k_2bYs7dLf4oVxO1uPcK9wGv', used: 3, end_reason: 'job_completed', ended_at: at('14:11:40') },
  {
    ...row,
    key_id: 'k_7cXt3eMg8pWwN5vOaJ1zFu',
    check_run_id: '89990',
    sha: 'decade',
    used: 9,
    minted_at: at('11:02:00'),
  },
]
