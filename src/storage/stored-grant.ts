import type { Grant } from '#domain/grant.ts'
import type { Scope } from '#domain/scope.ts'

/** A grant as the ledger keeps it: JSON, with the scope's map as a list of its entries. */
export function encodeGrant(grant: Grant): string {
  return JSON.stringify({ ...grant, scope: { ...grant.scope, routes: [...grant.scope.routes] } })
}

export function decodeGrant(text: string): Grant {
  const stored = JSON.parse(text) as Omit<Grant, 'scope'> & { scope: StoredScope }
  return {
    ...stored,
    // Without a prototype, as `jobIdentity` makes them: a claim named `constructor` is there only if the token has it.
    job: { ...stored.job, claims: Object.assign(Object.create(null), stored.job.claims) },
    scope: { ...stored.scope, routes: new Map(stored.scope.routes) },
  }
}

type StoredScope = Omit<Scope, 'routes'> & {
  readonly routes: readonly [string, Scope['routes'] extends ReadonlyMap<string, infer R> ? R : never][]
}
