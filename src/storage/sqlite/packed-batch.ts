import type { RequestRecord } from '#broker/ports.ts'
import type { AuditFact } from '#domain/audit-event.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { Call } from './verbs.ts'

/**
 * Calls as they cross to the writer: a list of lists, since the names of an object's fields would cross each time, and
 * cost more than the values. The two that every request makes cross as numbers and texts. A key, and a provider, route
 * and model, that are those of the call before do not cross again.
 *
 * `numbers`: what each call is ({@link FORM}), and its numbers, where `NaN` is `null`. `others`: what crosses as it is.
 */
export type PackedBatch = readonly [
  numbers: readonly number[],
  texts: readonly (string | null)[],
  others: readonly Call[],
]

/** The first number of a call: a sum of these. */
const FORM = { other: 0, charge: 1, finished: 2, newKey: 4, newTarget: 8 } as const

type Finished = Extract<AuditFact, { type: 'request.finished' }>

/** By their places here they cross. */
const OUTCOMES: readonly Finished['outcome'][] = [
  'answered',
  'client_gone',
  'cut',
  'provider_failed',
  'provider_timeout',
  'credential_rejected',
]

/** What the next call may have in common with the one before. */
interface Common {
  id: string
  provider: string
  route: string
  model: string | null
}

const NOTHING: Common = { id: '', provider: '', route: '', model: null }

export function packBatch(calls: readonly Call[]): PackedBatch {
  const numbers: number[] = []
  const texts: (string | null)[] = []
  const others: Call[] = []
  const last = { ...NOTHING }
  for (const call of calls) {
    if (isCharge(call)) {
      const [, id, request, now] = call
      numbers.push(FORM.charge + packCommon(texts, last, id, request), now)
      texts.push(request.requestId)
    } else if (isFinished(call)) {
      const [, id, fact, now] = call
      numbers.push(FORM.finished + packCommon(texts, last, id, fact), now, fact.free ? 1 : 0)
      numbers.push(OUTCOMES.indexOf(fact.outcome), fact.status ?? Number.NaN, fact.bytes_in, fact.bytes_out)
      numbers.push(fact.milliseconds, fact.input_tokens ?? Number.NaN, fact.output_tokens ?? Number.NaN)
      texts.push(fact.request_id)
    } else {
      numbers.push(FORM.other)
      others.push(call)
    }
  }
  return [numbers, texts, others]
}

/** @returns what of a call's form says that something did cross */
function packCommon(
  texts: (string | null)[],
  last: Common,
  id: string,
  { provider, route, model }: Pick<RequestRecord, 'provider' | 'route' | 'model'>,
): number {
  let form = 0
  if (id !== last.id) {
    form += FORM.newKey
    texts.push(id)
    last.id = id
  }
  if (model !== last.model || route !== last.route || provider !== last.provider) {
    form += FORM.newTarget
    texts.push(provider, route, model)
    last.provider = provider
    last.route = route
    last.model = model
  }
  return form
}

/** The writer refuses a number that is not finite, so it must reach it as it is. */
function isCharge(call: Call): call is readonly ['charge', id: string, request: RequestRecord, now: NumericDate] {
  return call[0] === 'charge' && Number.isFinite(call[3])
}

function isFinished(call: Call): call is readonly ['record', id: string, fact: Finished, now: NumericDate] {
  if (call[0] !== 'record') return false
  const [, , fact, now] = call as readonly ['record', id: string, fact: AuditFact, now: NumericDate]
  return (
    fact.type === 'request.finished' &&
    OUTCOMES.includes(fact.outcome) &&
    Number.isFinite(now + fact.bytes_in + fact.bytes_out + fact.milliseconds) &&
    Number.isFinite((fact.status ?? 0) + (fact.input_tokens ?? 0) + (fact.output_tokens ?? 0))
  )
}

/** @returns the calls in their order */
export function unpackBatch([numbers, texts, others]: PackedBatch): Call[] {
  const calls: Call[] = []
  let { id, provider, route, model } = NOTHING
  let [text, other] = [0, 0]
  for (let at = 0; at < numbers.length; ) {
    const form = numbers[at]!
    if (form === FORM.other) {
      calls.push(others[other++]!)
      at++
      continue
    }
    if (form & FORM.newKey) id = texts[text++]!
    if (form & FORM.newTarget) {
      provider = texts[text++]!
      route = texts[text++]!
      model = texts[text++]!
    }
    const now = numbers[at + 1]!
    const request_id = texts[text++]!
    if (form & FORM.charge) {
      calls.push(['charge', id, { requestId: request_id, provider, route, model } satisfies RequestRecord, now])
      at += 2
      continue
    }
    const fact: Finished = {
      type: 'request.finished',
      request_id,
      provider,
      route,
      free: numbers[at + 2] === 1,
      status: orNull(numbers[at + 4]!),
      outcome: OUTCOMES[numbers[at + 3]!]!,
      bytes_in: numbers[at + 5]!,
      bytes_out: numbers[at + 6]!,
      milliseconds: numbers[at + 7]!,
      model,
      input_tokens: orNull(numbers[at + 8]!),
      output_tokens: orNull(numbers[at + 9]!),
    }
    calls.push(['record', id, fact, now])
    at += 10
  }
  return calls
}

function orNull(number: number): number | null {
  return Number.isNaN(number) ? null : number
}
