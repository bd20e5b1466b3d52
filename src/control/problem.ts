import type { ServerResponse } from 'node:http'
import { catalogue, type Refusal } from '#domain/refusal.ts'
import { DOCUMENTATION, PROBLEM_TYPE, type Problem } from '#wire/problem.ts'
import type { Outcome } from './call.ts'

/** The one place where a finding of the control plane becomes an answer. */
export function send(response: ServerResponse, outcome: Outcome, headers: Readonly<Record<string, string>> = {}): void {
  if (response.headersSent || response.destroyed) return
  const [status, contentType, body] =
    outcome.kind === 'answer'
      ? [outcome.status, outcome.contentType, outcome.body]
      : [statusOf(outcome), PROBLEM_TYPE, problemOf(outcome)]
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // RFC 9110, section 15.5.2: a 401 says how to authenticate.
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    ...(outcome.kind === 'refused' &&
      outcome.retryAfter !== undefined && { 'retry-after': String(outcome.retryAfter) }),
    // What is left of a body that nobody read could be taken for the next request.
    ...(!response.req.complete && { connection: 'close' }),
    ...headers,
  })
  response.end(bytes)
}

function problemOf(refusal: Refusal): Problem {
  const { code, sentence } = refusal
  return {
    type: `${DOCUMENTATION}#${code}`,
    title: catalogue[code].title,
    status: statusOf(refusal),
    detail: sentence,
    code,
  }
}

function statusOf({ code }: Refusal): number {
  const entry = catalogue[code]
  return 'control' in entry ? entry.control : entry.status
}
