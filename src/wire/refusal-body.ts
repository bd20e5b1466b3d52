import { catalogue, type Refusal, type RefusalCode } from '#domain/refusal.ts'
import { DOCUMENTATION } from './problem.ts'

/** What the answer to a refused request of the data plane says. Every SDK and agent that was measured reads it. */
export interface RefusalBody {
  readonly type: 'error'
  /** The sentence: where Anthropic's SDK and Octokit look for it. */
  readonly message: string
  readonly error: {
    readonly type: RefusalCode
    /** The sentence again: where OpenAI's, the AI SDK and the agents look for it. */
    readonly message: string
    readonly code: RefusalCode
    readonly param: null
    /** The name of the status in gRPC: what Google's clients look at. */
    readonly status: string
  }
  readonly request_id: string
  readonly documentation_url: string
}

/** An answer of the data plane that is not the provider's. */
export interface RefusalAnswer {
  readonly status: number
  /** Name, value, name, value. */
  readonly headers: readonly string[]
  readonly body: string
}

/** Google's names, as close as its mapping comes: `RESOURCE_EXHAUSTED` would make clients repeat what is over. */
const GRPC_NAMES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  403: 'PERMISSION_DENIED',
  410: 'PERMISSION_DENIED',
  413: 'INVALID_ARGUMENT',
  426: 'FAILED_PRECONDITION',
  429: 'RESOURCE_EXHAUSTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

/** Statuses after which the same request may be sent again. */
const REPEATABLE: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** @param isCodex whether the client is Codex, which repeats everything but a 400 (CLIENTS, 1.5) */
export function refusalAnswer(refusal: Refusal, requestId: string, isCodex: boolean): RefusalAnswer {
  const { code, sentence } = refusal
  const entry = catalogue[code]
  const status: number = isCodex ? entry.codex : entry.status
  const content: RefusalBody = {
    type: 'error',
    message: sentence,
    error: { type: code, message: sentence, code, param: null, status: GRPC_NAMES[status] ?? 'UNKNOWN' },
    request_id: requestId,
    documentation_url: `${DOCUMENTATION}#${code}`,
  }
  const headers = [
    'content-type',
    'application/json',
    'cache-control',
    'no-store',
    'till-error',
    code,
    'x-request-id',
    requestId,
    'request-id',
    requestId,
  ]
  if (!REPEATABLE.has(status)) headers.push('x-should-retry', 'false')
  if (refusal.retryAfter !== undefined) headers.push('retry-after', String(refusal.retryAfter))
  return { status, headers, body: JSON.stringify(content) }
}

/** Whether a request is Codex's, by what it says of itself. */
export function isCodex(originator: string | undefined, userAgent: string | undefined): boolean {
  return beginsWithCodex(originator) || beginsWithCodex(userAgent)
}

function beginsWithCodex(text: string | undefined): boolean {
  return text !== undefined && text.length >= 5 && text.slice(0, 5).toLowerCase() === 'codex'
}
