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

/** A file in the home folder, written before the following steps and put back in post. It never holds the key. */
export interface AgentFile {
  /** From the home folder, such as `.codex/config.toml`. */
  readonly path: string
  /**
   * The new text of the file.
   *
   * @param existing `null`: there is no such file
   * @throws {StepError} when what is there cannot be kept, since it cannot be read
   */
  readonly merge: (existing: string | null, setting: Setting) => string
}

/** The first model that is a name and not a pattern, as the variable that tells an agent its model. */
export function modelVariable(name: string, models: readonly string[]): Record<string, string> {
  const model = models.find((entry) => !entry.includes('*'))
  return model === undefined ? {} : { [name]: model }
}
