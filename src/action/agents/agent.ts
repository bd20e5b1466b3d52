import type { Ours } from './ours.ts'

/** What one agent needs besides the variables of its provider. */
export interface Agent {
  /** Providers, one of which it cannot do without; empty when it can. */
  readonly needs: readonly string[]
  readonly variables?: (setting: Setting) => Readonly<Record<string, string>>
  readonly file?: AgentFile
}

/** What was minted, as far as agents need it. */
export interface Setting {
  readonly key: string
  /** Provider → base URL. */
  readonly bases: ReadonlyMap<string, string>
  /** The input `models`; patterns and names. */
  readonly models: readonly string[]
}

/**
 * A file in the home folder that an agent reads. What Till adds stands in it beside what was there, and says in it how
 * to take it out again, so that no other copy is needed: `read(write(own, ours))` gives `own` and `ours` back, byte for
 * byte. Texts are Latin-1, one character a byte. The key never stands in it.
 */
export interface AgentFile {
  /** From the home folder, such as `.codex/config.toml`. */
  readonly path: string
  /** What it has to be, such as `JSON`. */
  readonly format: string
  /** The text of a file that says nothing. */
  readonly empty: string
  /** @returns `null` when the text cannot be read, so that it could not be kept */
  readonly read: (text: string) => Contents | null
  readonly write: (own: string, ours: Ours) => string
}

/** What an agent's file holds. */
export interface Contents {
  /** All but what Till added; what was left out for that is back in its place. */
  readonly own: string
  /** `null`: nothing of Till is in it. */
  readonly ours: Ours | null
}
/** The first model that is a name and not a pattern, as the variable that tells an agent its model. */
export function modelVariable(name: string, models: readonly string[]): Record<string, string> {
  const model = models.find((entry) => !entry.includes('*'))
  return model === undefined ? {} : { [name]: model }
}
