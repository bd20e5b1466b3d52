import type { Config } from '#config.ts'

/** What a configuration allows and seldom means: a sentence for each policy. */
export function risks({ issuers, policies }: Pick<Config, 'issuers' | 'policies'>): string[] {
  if (issuers.length < 2) return []
  return policies
    .filter(({ claims }) => !claims.has('iss'))
    .map(
      ({ name }) =>
        `policy "${name}" has no claims.iss, and there are ${issuers.length} issuers: ids are unique within one GitHub ` +
        'only, so that the repository with this id at any of them gets a key.',
    )
}
