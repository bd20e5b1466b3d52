import { dirname, resolve } from 'node:path'
import type { AuditSettings } from '#config.ts'
import { type Place, type Reader, whole } from './place.ts'
import { type SecretSources, secret } from './secret.ts'
import { url, wholeNumber } from './values.ts'

const DEFAULT_CHECKPOINT_SECONDS = 60
const DAY = 86_400

export const DEFAULT_AUDIT: AuditSettings = { checkpoints: null, everySeconds: DEFAULT_CHECKPOINT_SECONDS }

/** Reads `audit:`: where checkpoints go, and how often they are made. */
export function auditFrom(file: string, sources: SecretSources): Reader<AuditSettings> {
  return (at) => {
    const fields = at.fields(['checkpoints', 'every'])
    if (!fields) return undefined
    return whole<AuditSettings>({
      checkpoints: fields.take('checkpoints', target(file, sources), null),
      everySeconds: fields.take('every', wholeNumber(1, DAY, ' of seconds'), DEFAULT_CHECKPOINT_SECONDS),
    })
  }
}

const KINDS = ['file', 'webhook', 'put'] as const

function target(file: string, sources: SecretSources): Reader<AuditSettings['checkpoints']> {
  return (at) => {
    const fields = at.fields(KINDS)
    if (!fields) return undefined
    const given = KINDS.filter((kind) => fields.get(kind))
    const [kind] = given
    if (kind === undefined || given.length > 1)
      return at.refuse(`expected one of ${KINDS.join(', ')}, got ${given.length === 0 ? 'none' : given.join(' and ')}`)
    const place = fields.get(kind)!
    const to = kind === 'file' ? pathBeside(file, place) : receiver(sources)(place)
    return to === undefined ? undefined : { kind, to }
  }
}

function pathBeside(file: string, at: Place): string | undefined {
  const path = at.text('the path of a file')
  if (path === undefined) return undefined
  return path === '' || path.includes('\0') || path.endsWith('/')
    ? at.refuse('expected the path of a file')
    : resolve(dirname(file), path)
}

/** A URL; one with a query, which may hold a signature, is a secret and stands elsewhere. */
function receiver(sources: SecretSources): Reader<string> {
  const read = secret(sources)
  return (at) => {
    if (!/^(?:env|file):/.test(String(at.scalar()))) return url(at)?.text
    const text = read(at)
    if (text === undefined || !sources.areRead) return text
    const isUrl = URL.canParse(text) && isSafe(new URL(text))
    return isUrl ? text : at.refuse('expected a URL: https:, or http: on 127.0.0.1 or [::1]')
  }
}

function isSafe({ protocol, hostname, username, password }: URL): boolean {
  const isLoopback = hostname === '127.0.0.1' || hostname === '[::1]'
  return (protocol === 'https:' || (protocol === 'http:' && isLoopback)) && username === '' && password === ''
}
