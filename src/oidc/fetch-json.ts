import { strictJsonObject } from '#domain/strict-json.ts'

export const FETCH_TIMEOUT_MILLISECONDS = 5_000
export const DOCUMENT_BYTES = 256 * 1024

/** Why a document of an issuer is not there. For the operator's log. */
export type FetchProblem = 'unreachable' | 'timeout' | 'status' | 'too_large' | 'not_json'

/**
 * Fetches one JSON object: no redirects, at most 5 s, at most 256 KiB. Reading stops at the limit, so that a hostile
 * document costs no more memory than that.
 */
export async function fetchJson(
  url: URL,
  options: { readonly timeoutMilliseconds?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<Readonly<Record<string, unknown>> | FetchProblem> {
  const timeout = AbortSignal.timeout(options.timeoutMilliseconds ?? FETCH_TIMEOUT_MILLISECONDS)
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout
  try {
    const response = await fetch(url, { redirect: 'error', signal, headers: { accept: 'application/json' } })
    if (response.status !== 200 || !response.body) {
      await response.body?.cancel()
      return 'status'
    }
    const chunks: Uint8Array[] = []
    let size = 0
    // Leaving the loop early cancels the body and closes the connection.
    for await (const chunk of response.body) {
      size += chunk.length
      if (size > DOCUMENT_BYTES) return 'too_large'
      chunks.push(chunk)
    }
    return strictJsonObject(Buffer.concat(chunks)) ?? 'not_json'
  } catch {
    // The error can hold the URL and what stood in the answer; only its kind goes on.
    return timeout.aborted ? 'timeout' : 'unreachable'
  }
}
