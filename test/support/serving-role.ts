import { readFileSync } from 'node:fs'

export const SERVING_ROLE = 'till_serve'

/** What docs/storage.md has an operator run for a role that serves from tables which another role has made. */
export function servingGrants(): { readonly always: string; readonly withRetention: string } {
  const [, section = ''] = readFileSync('docs/storage.md', 'utf8').split('\n### Least privileges\n')
  const [always, withRetention, ...more] = [...section.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql]) => sql!)
  if (!always || !withRetention || more.length > 0) throw new Error('expected two blocks of SQL in docs/storage.md')
  return { always, withRetention }
}

/** The same database, used by the role that serves. */
export function asServingRole(url: string): string {
  const served = new URL(url)
  served.username = SERVING_ROLE
  return served.href
}
