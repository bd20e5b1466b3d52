import { matches, type Pattern } from './pattern.ts'
import type { Provider } from './provider.ts'
import { formatRoute, type Route, routeMatches } from './route.ts'

/** What a key may call, fixed when it is minted: a later change of the configuration never widens it. */
export interface Scope {
  /** Provider name → routes that cost an activation. Free routes are the provider's own, as configured now. */
  readonly routes: ReadonlyMap<string, readonly Route[]>
  /** `null`: any model. */
  readonly models: readonly Pattern[] | null
}

/** Where a request falls in a scope. */
export type Placement =
  | { readonly kind: 'charged' | 'free'; readonly route: Route }
  | { readonly kind: 'outside'; readonly what: 'provider' | 'route' }

/**
 * Places a request by provider, method and path.
 *
 * @param path in the provider's own spelling (see `canonicalPath`), without a query: what is sent
 */
export function place(scope: Scope, provider: Provider | undefined, method: string, path: string): Placement {
  const routes = provider && scope.routes.get(provider.name)
  if (!provider || !routes) return { kind: 'outside', what: 'provider' }
  const free = provider.free.find((route) => routeMatches(route, method, path))
  if (free) return { kind: 'free', route: free }
  const charged = routes.find((route) => routeMatches(route, method, path))
  return charged ? { kind: 'charged', route: charged } : { kind: 'outside', what: 'route' }
}

/** Whether the scope lets a request use this model. A list of models holds none longer than 256 characters. */
export function modelIsAllowed(scope: Scope, model: string): boolean {
  if (scope.models === null) return true
  return model.length <= 256 && scope.models.some((pattern) => matches(pattern, model))
}

/** A scope as it stands in the mint answer, in the ledger and in events. */
export interface ScopeText {
  readonly routes: readonly string[]
  readonly models: readonly string[] | null
}

/** All routes of all providers, each once, in order. */
export function scopeText(scope: Scope): ScopeText {
  const routes = new Set<string>()
  for (const list of scope.routes.values()) for (const route of list) routes.add(formatRoute(route))
  return { routes: [...routes], models: scope.models }
}
