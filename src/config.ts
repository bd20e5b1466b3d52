import type { Policy } from '#domain/policy.ts'
import type { Provider } from '#domain/provider.ts'

/** `till.yaml`, compiled. Everything in it has been checked; secrets have been read. */
export interface Config {
  /** Absolute path of the file it came from. */
  readonly file: string
  /** Without a trailing slash. Base URLs of jobs begin with it; its origin is the audience of ID tokens. */
  readonly publicUrl: string
  readonly audience: string
  readonly listen: Address
  readonly adminListen: Address
  readonly storage:
    | { readonly kind: 'sqlite'; readonly path: string }
    | { readonly kind: 'postgresql'; readonly url: string }
  /** 32 bytes. `null`: SQLite without one named; made beside the database at first start. */
  readonly masterKey: Uint8Array | null
  readonly issuers: readonly Issuer[]
  readonly providers: ReadonlyMap<string, Provider>
  readonly credentials: ReadonlyMap<string, CredentialSource>
  readonly policies: readonly Policy[]
  readonly github: GitHubSettings | null
}

export interface Address {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

export interface Issuer {
  readonly url: string
  readonly checkRunId: 'required' | 'optional'
}

/** The credential itself, read from the environment or a file; or where the broker will find it. */
export type CredentialSource = { readonly kind: 'value'; readonly value: string } | { readonly kind: 'stored' }

export interface GitHubSettings {
  readonly webhookSecret: string | null
  readonly appId: string | null
  readonly privateKey: string | null
  readonly apiUrl: string
}

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** From 1; 0 where no line can be named. */
  readonly line: number
  readonly column: number
  /** Such as `policies[0].activations`. */
  readonly path: string
  /** What is wrong, what was expected, what to do. Never holds a secret's value. */
  readonly message: string
}

/**
 * Reads a configuration.
 *
 * @param source the text of the file
 * @param options `file`: its path, from which relative paths are resolved; `env`: where `env:NAME` looks;
 *   `readFile`: for `file:PATH`
 * @returns every problem at once, in the order of their lines, when there is one
 */
export declare function parseConfig(
  source: string,
  options: { readonly file: string; readonly env: NodeJS.ProcessEnv; readonly readFile: (path: string) => string },
): Config | readonly ConfigProblem[]
