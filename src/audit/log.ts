import { type DestinationStream, pino, destination as pinoDestination, stdTimeFunctions } from 'pino'
import type { Log, LogFields } from '#broker/ports.ts'
import { recordable } from '#domain/audit-event.ts'

/** The names that a line may hold besides `level`, `time` and `event`. Another name is dropped, whatever it holds. */
export const LOG_FIELDS: ReadonlySet<string> = new Set([
  'address',
  'attempts',
  'audience',
  'bytes',
  'chain',
  'code',
  'count',
  'deny_id',
  'errno',
  'file',
  'issuer',
  'key_id',
  'keys',
  'limit',
  'line',
  'milliseconds',
  'operator',
  'part',
  'path',
  'policy',
  'port',
  'problem',
  'provider',
  'reason',
  'repository_id',
  'request_id',
  'route',
  'seq',
  'signal',
  'skipped',
  'status',
  'until',
  'version',
])

/**
 * The second line of defence, behind the names: what looks like a key, a token or a credential, in whatever field a
 * mistake put it.
 */
const SECRET =
  /till_(?:admin_)?[0-9A-Za-z]{16,}|eyJ[\w-]{8,}(?:\.[\w-]*)*|\b(?:sk|rk|pk|gsk|xai|pplx|fw|AIza|gh[a-z]|github_pat)[-_]?[\w-]{20,}|\b(?:Bearer|Basic)\s+\S+|-----BEGIN [^-]*KEY-----.*/gi

/**
 * The operator's log: one JSON line an event, with allow-listed fields only (SECURITY, T40 and T43).
 *
 * @param options `destination`: where the lines go, standard error unless said; `level`: the least that is written,
 *   `info` unless said
 */
export function operatorLog(
  options: { readonly destination?: DestinationStream; readonly level?: 'info' | 'warn' | 'error' | 'silent' } = {},
): Log {
  const lines = pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    // Written at once, so that the last lines before an end are not lost.
    options.destination ?? pinoDestination({ fd: 2, sync: true }),
  )
  return {
    info: (event, fields) => lines.info(line(event, fields)),
    warn: (event, fields) => lines.warn(line(event, fields)),
    error: (event, fields) => lines.error(line(event, fields)),
  }
}

function line(event: string, fields: LogFields = {}): Record<string, unknown> {
  const written: Record<string, unknown> = { event: clean(event) }
  for (const name of Object.keys(fields)) if (LOG_FIELDS.has(name)) written[name] = clean(fields[name])
  return written
}

/** Only what JSON can hold without asking the value: no object gets to the serialiser, so none can throw there. */
function clean(value: unknown): unknown {
  if (typeof value === 'string') return recordable(value.slice(0, 4096).replace(SECRET, '[redacted]'))
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return value.slice(0, 100).map(clean)
  return value === null || typeof value === 'boolean' || typeof value === 'number' ? value : undefined
}
