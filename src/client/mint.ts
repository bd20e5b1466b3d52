import { keyId, keyText, type MintAnswer, type MintRequest, mintAnswer } from '#wire/mint.ts'
import { object, type Shape, ShapeError } from '#wire/shape.ts'
import type { Answer } from './answer.ts'
import { exchange, nonsense } from './exchange.ts'
import { repeatOnce } from './repeat.ts'

/** One try. The broker needs milliseconds; the rest is for a slow network. */
const TRY_MILLISECONDS = 10_000

export interface Minting {
  readonly answer: Answer<MintAnswer>
  readonly leftOver: LeftOver
}

/**
 * What there may be besides an answer of use: `nothing`; `unknown`, when a request went out and its answer was lost, or
 * was none that a broker gives; or the key of an answer that cannot be used, to be masked and ended.
 */
export type LeftOver = 'nothing' | 'unknown' | HeldKey

export interface HeldKey {
  readonly id: string
  readonly key: string
}

/**
 * Mints a key. A lost answer is asked for once more with the same idempotency key, so that it costs no second budget.
 *
 * @param options `broker`: its URL, without a slash at the end; `idToken`: gives a fresh one for each try, since a mint
 *   consumes it; `idempotencyKey`: 16 to 128 visible ASCII characters, random; `deadline`: on `performance.now()`'s
 *   scale
 * @throws what `idToken` throws before the first try; before the second, the first answer stands
 */
export async function mint(options: {
  readonly broker: string
  readonly idToken: () => Promise<string>
  readonly request: MintRequest
  readonly idempotencyKey: string
  readonly deadline: number
}): Promise<Minting> {
  const { broker, request } = options
  const answers: Answer<Received>[] = []
  const ask = async (left: () => number): Promise<Answer<Received>> => {
    let token: string
    try {
      token = await options.idToken()
    } catch (error) {
      if (answers[0]) return answers[0]
      throw error
    }
    const answer = await exchange({
      method: 'POST',
      url: `${broker}/v1/keys`,
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': options.idempotencyKey },
      body: JSON.stringify(request),
      status: 201,
      shape: received,
      // Only now: getting the token took its time.
      timeoutMilliseconds: Math.min(left(), TRY_MILLISECONDS),
    })
    answers.push(answer)
    return answer
  }
  const answer = await repeatOnce(options.deadline, ask)
  if (answer.kind !== 'ok') return { answer, leftOver: answers.every(mintedNothing) ? 'nothing' : 'unknown' }

  const { held, minted } = answer.value
  const objection = typeof minted === 'string' ? minted : objectionTo(minted, request, new URL(broker).origin)
  if (objection !== null || typeof minted === 'string') return { answer: nonsense(objection!), leftOver: held }
  return { answer: { kind: 'ok', value: minted }, leftOver: 'nothing' }
}

/** A gateway's own 5xx says nothing of what became of the request behind it. */
function mintedNothing(answer: Answer<Received>): boolean {
  if (answer.kind === 'unreachable') return answer.unsent === true
  return answer.kind === 'refused' && (answer.status < 500 || answer.problem !== null)
}

/** An answer in which a key can be read. Where the rest is not of the contract, `minted` is what is wrong with it. */
interface Received {
  readonly held: HeldKey
  readonly minted: MintAnswer | string
}

const received: Shape<Received> = (value, field) => {
  try {
    const minted = mintAnswer(value, field)
    return { held: { id: minted.id, key: minted.key }, minted }
  } catch (error) {
    const held = keyIn(value)
    if (held === null || !(error instanceof ShapeError)) throw error
    return { held, minted: error.message }
  }
}

const heldKey = object({ id: keyId, key: keyText }, {}, 'ignore')

function keyIn(value: unknown): HeldKey | null {
  try {
    return heldKey(value, '')
  } catch {
    return null
  }
}

/** Why an answer of the right shape is not an answer to this request; `null` when it is. */
function objectionTo(answer: MintAnswer, request: MintRequest, origin: string): string | null {
  for (const name of request.providers) {
    const provider = answer.providers[name]
    if (!provider) return `providers: expected ${name}, and it is missing`
    if (!isOwnUrl(provider.base_url, origin)) return `providers.${name}.base_url: expected a URL of ${origin}`
  }
  if (request.policy !== undefined && answer.policy !== request.policy) return 'policy: expected the one asked for'
  if (request.activations !== undefined && answer.activations > request.activations)
    return 'activations: expected no more than were asked for'
  return null
}

/** Of the broker's own origin, in canonical spelling, and of characters that mean nothing to a shell or a file. */
function isOwnUrl(text: string, origin: string): boolean {
  const url = URL.parse(text)
  if (url?.origin !== origin || (url.href !== text && url.href !== `${text}/`)) return false
  return PATH.test(text.slice(origin.length))
}

const PATH = /^(\/[A-Za-z0-9._~-]+)*\/?$/
