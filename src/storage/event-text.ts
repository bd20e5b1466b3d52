import { type AuditEvent, type AuditFact, eventText } from '#domain/audit-event.ts'
import { rememberingLast } from './remembering-last.ts'

/** Where an event stands: all of it but its fact. */
export type EventPlace = Pick<AuditEvent, 'chain' | 'seq' | 'at' | 'prev'>

/**
 * `eventText` of a fact in its place, faster for the two that every request writes: their names are sorted here, once,
 * and what stays the same from one event to the next is written once.
 *
 * @param place `prev` is a hash in hex
 * @throws {TypeError} for what I-JSON cannot hold
 */
export function fastEventText(fact: AuditFact, place: EventPlace): string {
  switch (fact.type) {
    case 'activation':
      return (
        at(place.at) +
        chain(place.chain) +
        model(fact.model) +
        `,"prev":"${place.prev}"` +
        provider(fact.provider) +
        `,"request_id":${string(fact.request_id)}` +
        route(fact.route) +
        `,"seq":${number(place.seq)},"type":"activation","used":${number(fact.used)}}`
      )
    case 'request.finished':
      return (
        at(place.at) +
        `,"bytes_in":${number(fact.bytes_in)},"bytes_out":${number(fact.bytes_out)}` +
        chain(place.chain) +
        (fact.free === true ? ',"free":true,"input_tokens":' : ',"free":false,"input_tokens":') +
        `${numberOrNull(fact.input_tokens)},"milliseconds":${number(fact.milliseconds)}` +
        model(fact.model) +
        outcome(fact.outcome) +
        `,"output_tokens":${numberOrNull(fact.output_tokens)},"prev":"${place.prev}"` +
        provider(fact.provider) +
        `,"request_id":${string(fact.request_id)}` +
        route(fact.route) +
        `,"seq":${number(place.seq)},"status":${numberOrNull(fact.status)},"type":"request.finished"}`
      )
    default:
      return eventText({ ...fact, ...place })
  }
}

const at = rememberingLast((value: number) => flat('{"at":', number(value)))
const chain = member('chain', string)
const model = member('model', stringOrNull)
const provider = member('provider', string)
const route = member('route', string)
const outcome = member('outcome', string)

function member<T>(name: string, write: (value: T) => string): (value: T) => string {
  return rememberingLast((value) => flat(`,"${name}":`, write(value)))
}

/** V8 keeps what `+` makes as a tree of its parts, and would walk through it for each event anew. */
function flat(...parts: readonly string[]): string {
  return parts.join('')
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
