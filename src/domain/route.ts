import { covers, matches, type Pattern } from './pattern.ts'

/** A method and a path template, such as `POST /v1/responses` or `GET /invoices/*`. The query is not part of it. */
export interface Route {
  readonly method: string
  readonly path: Pattern
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** A slash at the end is part of a path: some APIs insist on it. */
const TEMPLATE = /^(?:\/[A-Za-z0-9\-._~!$&'()*+,:@]+)*\/?$/

/**
 * Reads `METHOD /path`.
 *
 * @returns a sentence that says what is wrong, when the text is not a route that the data plane can enforce
 */
export function parseRoute(text: string): Route | string {
  const [method, path, ...rest] = text.trim().split(/ +/)
  if (method === undefined || path === undefined || rest.length > 0)
    return `expected "METHOD /path", such as "POST /v1/responses", got ${JSON.stringify(text)}`
  if (!METHODS.has(method))
    return `expected one of ${[...METHODS].join(' ')} in capitals, got ${JSON.stringify(method)}`
  if (!TEMPLATE.test(path) || path === '') return `expected a path of plain segments, got ${JSON.stringify(path)}`
  const segments = path.slice(1).split('/')
  if (segments.some((segment) => segment === '.' || segment === '..'))
    return `a path has no "." or ".." segment: ${path}`
  if (segments.some((segment, i) => segment.includes('**') && (segment !== '**' || i < segments.length - 1)))
    return `"**" stands only as the last whole segment of a path: ${path}`
  return { method, path }
}

export function formatRoute(route: Route): string {
  return `${route.method} ${route.path}`
}

/** Whether a request with this method and path (no query) is one of the route's. `GET` does not imply `HEAD`. */
export function routeMatches(route: Route, method: string, path: string): boolean {
  return route.method === method && matches(route.path, path)
}

/** Whether everything that `narrow` allows is allowed by `wide`. */
export function routeCovers(wide: Route, narrow: Route): boolean {
  return wide.method === narrow.method && covers(wide.path, narrow.path)
}
