import { type DestinationStream, pino, destination as pinoDestination, stdTimeFunctions } from 'pino'
import { type Log, type LogFields, logFields } from '#broker/ports.ts'
import { recordable } from '#domain/audit-event.ts'

/**
 * The second line of defence, behind the names: what looks like a key, a token or a credential, in whatever field a
 * mistake put it.
 */
const SECRET = new RegExp(
  [
    /till_(?:admin_)?[0-9A-Za-z]{16,}/, // our keys and tokens
    /eyJ[\w-]{8,}(?:\.[\w-]*)*/, // JWS: `{"` in base64url
    /\b(?:sk|rk|pk|gsk|xai|pplx|fw|AIza|gh[a-z]|github_pat)[-_]?[\w-]{20,}/, // providers' and GitHub's
    /\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,}/, // RFC 9110, section 11.4
    /-----BEGIN [\s\S]*/, // PEM
  ]
    .map(({ source }) => source)
    .join('|'),
  'gi',
)

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
  for (const name of logFields) if (Object.hasOwn(fields, name)) written[name] = clean(fields[name])
  return written
}

/** Only what JSON can hold without asking the value: no object gets to the serialiser, so none can throw there. */
function clean(value: unknown): unknown {
  if (typeof value === 'string') return recordable(value.slice(0, 4096).replace(SECRET, '[redacted]'))
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return value.slice(0, 100).map(clean)
  return value === null || typeof value === 'boolean' || typeof value === 'number' ? value : undefined
}
