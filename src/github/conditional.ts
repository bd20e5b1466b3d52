import { LRUCache } from 'lru-cache'
import { statusOf } from '#comment/keep-comment.ts'
import type { Answer, Request } from '#comment/request.ts'

interface Known {
  readonly etag: string
  readonly answer: Answer
}

/** Pages of jobs and comments, some 100 KB each at most. */
const KNOWN_ANSWERS = 500

/**
 * Asks whether what is known still holds (`If-None-Match`, RFC 9110): an answer of 304 costs nothing of the rate limit.
 *
 * @param request whose answers have their `headers`
 */
export function conditional(request: Request): Request {
  const known = new LRUCache<string, Known>({ max: KNOWN_ANSWERS })
  return async (route, parameters = {}) => {
    if (!route.startsWith('GET ')) return request(route, parameters)
    const key = JSON.stringify([route, parameters])
    const before = known.get(key)
    try {
      const answer = (await request(
        route,
        before ? { ...parameters, headers: { 'if-none-match': before.etag } } : parameters,
      )) as Answer & { readonly headers: { readonly etag?: string } }
      if (answer.headers.etag !== undefined) known.set(key, { etag: answer.headers.etag, answer })
      return answer
    } catch (error) {
      if (before && statusOf(error) === 304) return before.answer
      throw error
    }
  }
}
