import type { Upstream, UpstreamCall, UpstreamFailure, UpstreamRequest } from '#proxy/upstream.ts'

/** What came of a request. */
export interface Asked {
  /** `null`: no head came. */
  readonly status: number | null
  readonly headers: readonly string[]
  /** Latin-1. What came of it, when it failed. */
  readonly body: string
  readonly chunks: number
  readonly failure: UpstreamFailure | null
}

/** Sends one request and collects what is told of its answer. */
export function ask(
  upstream: Upstream,
  origin: string,
  part: Partial<UpstreamRequest> = {},
  onCall: (call: UpstreamCall) => void = () => {},
): Promise<Asked> {
  return new Promise((resolve) => {
    let status: number | null = null
    let headers: readonly string[] = []
    let body = ''
    let chunks = 0
    const over = (failure: UpstreamFailure | null) => resolve({ status, headers, body, chunks, failure })
    const call = upstream.send(
      { origin, method: 'GET', path: '/', headers: [], body: null, ...part },
      {
        onHead(given, lines) {
          status = given
          headers = lines
        },
        onData(chunk) {
          chunks++
          body += chunk.toString('latin1')
        },
        onEnd: () => over(null),
        onFailure: over,
      },
    )
    onCall(call)
  })
}
