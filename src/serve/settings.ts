import { isDeepStrictEqual } from 'node:util'
import type { Log, Rules } from '#broker/ports.ts'
import type { Config } from '#config.ts'
import type { Records } from '#crypto/sealed-records.ts'
import { storedCredential } from '#crypto/stored-credentials.ts'

/** What a reload replaces, all at once. */
export interface Settings {
  readonly config: Config
  readonly rules: Rules
  /** By provider. One that is not here is not ready. */
  readonly credentials: ReadonlyMap<string, string>
}

export async function readSettings(config: Config, records: Records, log: Log): Promise<Settings> {
  const credentials = new Map<string, string>()
  for (const [name, source] of config.credentials) {
    const value = source.kind === 'value' ? source.value : await storedCredential(records, config.providers.get(name)!)
    if (value === null) log.warn('credential.missing', { provider: name })
    else credentials.set(name, value)
  }
  return { config, rules: { policies: config.policies, providers: config.providers }, credentials }
}

/** What stays as it was at the start, whatever a reloaded file says; under the names that it has in the file. */
const FIXED: readonly (readonly [name: string, value: (config: Config) => unknown])[] = [
  ['public_url', (config) => config.publicUrl],
  ['listen', (config) => config.listen],
  ['admin_listen', (config) => config.adminListen],
  ['storage', (config) => config.storage],
  ['master_key', (config) => config.masterKey],
  ['audit', (config) => config.audit],
  ['workers', (config) => config.workers],
  // Without an App there is nothing that the start has made: a webhook is taken by what is configured now.
  ['github', ({ github }) => (github?.appId ? [github.appId, github.privateKey, github.apiUrl] : null)],
]

/** The names of what is fixed and differs. */
export function needsRestart(running: Config, next: Config): string[] {
  return FIXED.filter(([, value]) => !isDeepStrictEqual(value(running), value(next))).map(([name]) => name)
}
