import { createHmac, randomUUID } from 'node:crypto'

export const SECRET = 'the-secret-of-the-webhook'

export interface Delivery {
  readonly payload: unknown
  readonly event?: string
  readonly secret?: string
  readonly id?: string
  readonly contentType?: string
}

/** Headers and body of a delivery, as GitHub makes them. */
export function delivery({ payload, event = 'workflow_job', secret = SECRET, id, contentType }: Delivery) {
  const json = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const isForm = contentType?.includes('form')
  const body = isForm ? new URLSearchParams({ payload: json }).toString() : json
  return {
    method: 'POST',
    body,
    headers: {
      'content-type': contentType ?? 'application/json',
      'user-agent': 'GitHub-Hookshot/abc1234',
      'x-github-event': event,
      'x-github-delivery': id ?? randomUUID(),
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    },
  }
}

/** What GitHub says of a job; `changes` are to `workflow_job`. */
export function workflowJob(
  claims: Readonly<Record<string, unknown>>,
  action = 'completed',
  changes: Readonly<Record<string, unknown>> = {},
) {
  const id = Number(claims['check_run_id'] ?? 1)
  return {
    action,
    workflow_job: {
      // Another number than the check run's: GitHub's documentation does not promise that they are equal.
      id: id + 500_000,
      run_id: Number(claims['run_id']),
      run_attempt: Number(claims['run_attempt']),
      check_run_url: `https://api.github.com/repos/acme/web/check-runs/${id}`,
      status: action,
      conclusion: action === 'completed' ? 'cancelled' : null,
      ...changes,
    },
    repository: { id: Number(claims['repository_id']), full_name: 'acme/web' },
    sender: { login: 'octocat' },
  }
}
