const REPEATABLE = new Set([307, 308])
const MOVED = new Set([301, 302, ...REPEATABLE])

/**
 * `fetch` that follows one redirect, and only within its origin: GitHub redirects what is asked of a repository that was
 * renamed. Anything else would send what is written, and believe what is answered, somewhere that nobody configured.
 *
 * @throws {TypeError} for any other redirect
 */
export async function fetchWithinOrigin(url: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(url, { ...init, redirect: 'manual' })
  if (!MOVED.has(answer.status) && answer.status !== 303) return answer
  const to = URL.parse(answer.headers.get('location') ?? '', url)
  await answer.body?.cancel()
  const isRepeatable = REPEATABLE.has(answer.status) || (MOVED.has(answer.status) && (init.method ?? 'GET') === 'GET')
  if (!isRepeatable || to?.origin !== new URL(url).origin) throw new TypeError('expected no redirect to elsewhere')
  return fetch(to, { ...init, redirect: 'error' })
}
