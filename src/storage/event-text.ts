import { type AuditEvent, eventText } from '#domain/audit-event.ts'

/**
 * `eventText`, faster for the two events that every request writes: their names are sorted here, once.
 *
 * @throws {TypeError} for what I-JSON cannot hold
 */
export function fastEventText(event: AuditEvent): string {
  switch (event.type) {
    case 'activation':
      return (
        `{"at":${number(event.at)},"chain":${string(event.chain)},"model":${stringOrNull(event.model)},` +
        `"prev":${string(event.prev)},"provider":${string(event.provider)},"request_id":${string(event.request_id)},` +
        `"route":${string(event.route)},"seq":${number(event.seq)},"type":"activation","used":${number(event.used)}}`
      )
    case 'request.finished':
      return (
        `{"at":${number(event.at)},"bytes_in":${number(event.bytes_in)},"bytes_out":${number(event.bytes_out)},` +
        `"chain":${string(event.chain)},"free":${event.free === true},"input_tokens":${numberOrNull(event.input_tokens)},` +
        `"milliseconds":${number(event.milliseconds)},"model":${stringOrNull(event.model)},` +
        `"outcome":${string(event.outcome)},"output_tokens":${numberOrNull(event.output_tokens)},` +
        `"prev":${string(event.prev)},"provider":${string(event.provider)},"request_id":${string(event.request_id)},` +
        `"route":${string(event.route)},"seq":${number(event.seq)},"status":${numberOrNull(event.status)},` +
        `"type":"request.finished"}`
      )
    default:
      return eventText(event)
  }
}

/** Anything else is written by `JSON.stringify`. */
const PLAIN = /^[ !#-[\]-~]*$/

function string(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`
  if (!value.isWellFormed()) throw new TypeError('Cannot write a lone surrogate')
  return JSON.stringify(value)
}

function stringOrNull(value: string | null): string {
  return value === null ? 'null' : string(value)
}

/** ECMAScript writes a number as JSON has it, but for `-0`. */
function number(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError('Cannot write a number that is not finite')
  return value === 0 ? '0' : `${value}`
}

function numberOrNull(value: number | null): string {
  return value === null ? 'null' : number(value)
}
