import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { Address, Config, Issuer } from '#config.ts'
import { type Fields, type Reader, whole } from './place.ts'
import { type SecretSources, secret } from './secret.ts'
import { listOf, oneOf, url } from './values.ts'

/** Where a broker listens when nothing is said. */
export const DEFAULT_LISTEN: Address = { host: '0.0.0.0', port: 4100 }
export const DEFAULT_ADMIN_LISTEN: Address = { host: '127.0.0.1', port: 4101 }
export const DEFAULT_STORAGE = './till-data/till.db'
export const DEFAULT_ISSUERS: readonly Issuer[] = [
  { url: 'https://token.actions.githubusercontent.com', checkRunId: 'required' },
]
export const DEFAULT_WORKERS = 1
const MAX_WORKERS = 64

/** Characters, so that a base URL fits into the answer to a mint. */
const MAX_PUBLIC_URL_LENGTH = 400

/** Where jobs reach the broker. Its origin is the audience of ID tokens. */
export const publicUrl: Reader<Pick<Config, 'publicUrl' | 'audience'>> = (at) => {
  const read = url(at)
  if (!read) return undefined
  if (read.text.length > MAX_PUBLIC_URL_LENGTH)
    return at.refuse(`expected a URL of at most ${MAX_PUBLIC_URL_LENGTH} characters`)
  return { publicUrl: read.origin + read.path, audience: read.origin }
}

/** Two listeners cannot share a port, unless each has an address of its own. */
export function refuseOneAddressForBoth(fields: Fields, listen?: Address, admin?: Address): void {
  if (!listen || !admin || listen.port !== admin.port || listen.port === 0) return
  const isEverywhere = [listen.host, admin.host].some((host) => host === '0.0.0.0' || host === '::')
  if (!isEverywhere && listen.host !== admin.host) return
  const at = fields.get('admin_listen') ?? fields.get('listen')
  at?.refuse(`listen and admin_listen cannot share port ${listen.port}: choose another`)
}

/** `sqlite:PATH`, relative to the folder of the configuration; or `postgresql://…`, which may hold a password. */
export function storageBeside(file: string): Reader<Config['storage']> {
  const expected = 'sqlite:PATH or postgresql://USER@HOST/DATABASE'
  return (at) => {
    const text = at.text(expected)
    if (text === undefined) return undefined
    if (/^postgres(?:ql)?:\/\//.test(text))
      return URL.canParse(text) && new URL(text).hostname !== ''
        ? { kind: 'postgresql', url: text, acceptAsynchronousStandbys: false }
        : at.refuse('expected postgresql://USER@HOST/DATABASE')
    const path = /^sqlite:(.+)$/s.exec(text)?.[1]
    if (path === undefined || path.includes('\0')) return at.refuse(`expected ${expected}`)
    if (path === ':memory:' || path.startsWith('file:'))
      return at.refuse('expected the path of a file: counters must outlive the process')
    if (/^\/\/[^/]/.test(path)) return at.refuse('expected sqlite:PATH, such as sqlite:./till.db, without "//"')
    if (/(?:^|\/)\.{0,2}$/.test(path)) return at.refuse('expected the path of a file, got that of a folder')
    return sqliteBeside(file, path)
  }
}

export function sqliteBeside(file: string, path: string): Config['storage'] {
  return { kind: 'sqlite', path: resolve(dirname(file), path) }
}

/** What a failover may forget is accepted by name, and only where there can be one. */
export function withAcceptedRisk(
  fields: Fields,
  storage: Config['storage'] | undefined,
): Config['storage'] | undefined {
  const risk = fields.take('storage_risk', oneOf('accept_asynchronous_standbys'), null)
  if (!risk || !storage) return storage
  if (storage.kind === 'postgresql') return { ...storage, acceptAsynchronousStandbys: true }
  fields.get('storage_risk')?.refuse('this risk is of PostgreSQL only: remove the field')
  return storage
}

/** Beside an SQLite file a key can be made and kept; a server's database has no such place. */
export function refuseMissingMasterKey(fields: Fields, storage?: Config['storage']): void {
  if (storage?.kind !== 'postgresql' || fields.get('master_key')) return
  fields.at.refuseMissing('master_key', 'this field is missing, and PostgreSQL needs it: env:NAME or file:PATH')
}

/** 32 bytes as base64. */
export function masterKeyFrom(sources: SecretSources): Reader<Uint8Array> {
  const read = secret(sources)
  return (at) => {
    const text = read(at)
    if (text === undefined) return undefined
    if (!sources.areRead) return new Uint8Array()
    const bytes = Buffer.from(text, 'base64')
    if (bytes.length !== 32 || bytes.toString('base64') !== text)
      return at.refuse('expected 32 bytes as base64, such as `openssl rand -base64 32` makes')
    return Uint8Array.from(bytes)
  }
}

/** Their text is compared with that of ID tokens, so it stays as it is written. */
export const issuers: Reader<readonly Issuer[]> = (at) => {
  const seen = new Set<string>()
  return listOf(
    (entry) => {
      const issuer = readIssuer(entry)
      if (!issuer) return undefined
      if (seen.has(issuer.url)) return entry.refuse(`${issuer.url} stands here twice`)
      seen.add(issuer.url)
      return issuer
    },
    'a list of issuers, such as [https://token.actions.githubusercontent.com]',
    'list',
  )(at)
}

const readIssuer: Reader<Issuer> = (at) => {
  const fields = at.isMap() ? at.fields(['url', 'check_run_id']) : undefined
  if (!fields) return at.isMap() ? undefined : whole<Issuer>({ url: issuerUrl(at), checkRunId: 'required' })
  return whole<Issuer>({
    url: fields.need('url', issuerUrl),
    checkRunId: fields.take('check_run_id', oneOf('optional', 'required'), 'required'),
  })
}

const issuerUrl: Reader<string> = (at) => url(at)?.text

/** How many processes serve; `auto`: as many as this machine runs at once. */
export const workers: Reader<number> = (at) => {
  const value = at.scalar()
  if (value === 'auto') return Math.min(availableParallelism(), MAX_WORKERS)
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_WORKERS) return value as number
  return at.refuse(`expected a whole number from 1 to ${MAX_WORKERS}, or auto, got ${at.shown()}`)
}
