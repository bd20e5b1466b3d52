import { dirname, resolve } from 'node:path'
import type { Policy } from '#domain/policy.ts'
import type { Provider } from '#domain/provider.ts'
import { auditFrom, DEFAULT_AUDIT } from './config/audit.ts'
import { openDocument } from './config/document.ts'
import { githubFrom } from './config/github.ts'
import { type Place, whole } from './config/place.ts'
import { policiesFrom } from './config/policies.ts'
import { providersFrom } from './config/providers.ts'
import { DEFAULT_RETENTION, retention } from './config/retention.ts'
import type { SecretSources } from './config/secret.ts'
import {
  DEFAULT_ADMIN_LISTEN,
  DEFAULT_ISSUERS,
  DEFAULT_LISTEN,
  DEFAULT_STORAGE,
  DEFAULT_WORKERS,
  issuers,
  masterKeyFrom,
  publicUrl,
  refuseMissingMasterKey,
  refuseOneAddressForBoth,
  sqliteBeside,
  storageBeside,
  withAcceptedRisk,
  workers,
} from './config/settings.ts'
import { address } from './config/values.ts'

export { readConfigText, readSecretFile } from './config/read-file.ts'
export { risks } from './config/risks.ts'
export { credentialFault } from './config/secret.ts'

/** `till.yaml`, compiled. Everything in it has been checked; secrets have been read. */
export interface Config {
  /** Absolute path of the file it came from. */
  readonly file: string
  /** Without a trailing slash. Base URLs of jobs begin with it; its origin is the audience of ID tokens. */
  readonly publicUrl: string
  readonly audience: string
  readonly listen: Address
  /** Checked, and kept for a listener of operators: nothing listens there. */
  readonly adminListen: Address
  readonly storage:
    | { readonly kind: 'sqlite'; readonly path: string }
    | { readonly kind: 'postgresql'; readonly url: string; readonly acceptAsynchronousStandbys: boolean }
  /** 32 bytes. `null`: SQLite without one named; made beside the database at first start. */
  readonly masterKey: Uint8Array | null
  readonly issuers: readonly Issuer[]
  readonly providers: ReadonlyMap<string, Provider>
  readonly credentials: ReadonlyMap<string, CredentialSource>
  readonly policies: readonly Policy[]
  readonly github: GitHubSettings | null
  readonly audit: AuditSettings
  readonly retention: RetentionSettings
  /** Processes that serve, 1 to 64. One: the broker is a single process. */
  readonly workers: number
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

export interface AuditSettings {
  /** Where signed checkpoints go besides the ledger: an absolute path, or a URL, which may hold a secret. */
  readonly checkpoints: { readonly kind: 'file' | 'webhook' | 'put'; readonly to: string } | null
  readonly everySeconds: number
}

export interface RetentionSettings {
  /** How long a key is kept with its events after it has ended; `null`: for good. */
  readonly keysSeconds: number | null
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

/** `till.yaml:12:5 policies[0].activations: expected a whole number from 1 to 1000000000, got "many"` */
export function problemLine(file: string, { line, column, path, message }: ConfigProblem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`
  return path === '' ? `${place}: ${message}` : `${place} ${path}: ${message}`
}

export interface ConfigSources {
  /** The path of the file. Relative paths in it are resolved from its folder. */
  readonly file: string
  /** Where `env:NAME` looks. */
  readonly env: NodeJS.ProcessEnv
  /** For `file:PATH`; the path is absolute. */
  readonly readFile: (path: string) => string
  /** Those that the caller needs; the others stay empty. `all` unless said. */
  readonly secrets?: 'all' | 'master_key' | 'none'
}

/**
 * Reads a configuration.
 *
 * @param source the text of the file
 * @returns every problem at once, in the order of their lines, when there is one. Never throws
 */
export function parseConfig(source: string, sources: ConfigSources): Config | readonly ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const root = openDocument(source, problems)
  const config = root && readConfig(root, sources)
  if (config && problems.length === 0) return config
  return problems.sort((a, b) => a.line - b.line || a.column - b.column)
}

const FIELDS = [
  'public_url',
  'listen',
  'admin_listen',
  'storage',
  'storage_risk',
  'master_key',
  'issuers',
  'providers',
  'policies',
  'github',
  'audit',
  'retention',
  'workers',
]

function readConfig(root: Place, sources: ConfigSources): Config | undefined {
  const file = resolve(sources.file)
  const needed = sources.secrets ?? 'all'
  const secrets: SecretSources = {
    areRead: needed === 'all',
    env: sources.env,
    readFile: (path) => sources.readFile(resolve(dirname(file), path)),
  }
  const fields = root.fields(FIELDS)
  if (!fields) return undefined
  const url = fields.need('public_url', publicUrl)
  const listen = fields.take('listen', address, DEFAULT_LISTEN)
  const adminListen = fields.take('admin_listen', address, DEFAULT_ADMIN_LISTEN)
  const storage = fields.take('storage', storageBeside(file), sqliteBeside(file, DEFAULT_STORAGE))
  const providers = fields.need('providers', providersFrom(secrets))
  const believed = fields.take('issuers', issuers, DEFAULT_ISSUERS)
  refuseOneAddressForBoth(fields, listen, adminListen)
  refuseMissingMasterKey(fields, storage)
  return whole<Config>({
    file,
    publicUrl: url?.publicUrl,
    audience: url?.audience,
    listen,
    adminListen,
    storage: withAcceptedRisk(fields, storage),
    masterKey: fields.take('master_key', masterKeyFrom({ ...secrets, areRead: needed !== 'none' }), null),
    issuers: believed,
    providers: providers?.providers,
    credentials: providers?.credentials,
    policies: fields.need('policies', policiesFrom({ providers, issuers: believed, audience: url?.audience })),
    github: fields.take('github', githubFrom(secrets), null),
    audit: fields.take('audit', auditFrom(file, secrets), DEFAULT_AUDIT),
    retention: fields.take('retention', retention, DEFAULT_RETENTION),
    workers: fields.take('workers', workers, DEFAULT_WORKERS),
  })
}
