import { type MintAnswer, type MintRequest, mintAnswer } from '#wire/mint.ts'
import type { Answer } from './answer.ts'
import { exchange, nonsense } from './exchange.ts'
import { repeatOnce } from './repeat.ts'

/** One try. The broker needs milliseconds; the rest is for a slow network. */
const TRY_MILLISECONDS = 10_000

/**
 * Mints a key. A lost answer is asked for once more with the same idempotency key, so that it costs no second budget.
 *
 * @param options `broker`: its URL, without a slash at the end; `idToken`: gives a fresh one for each try, since a mint
 *   consumes it; `idempotencyKey`: 16 to 128 visible ASCII characters, random; `deadline`: on `performance.now()`'s
 *   scale
 */
export async function mint(options: {
  readonly broker: string
  readonly idToken: () => Promise<string>
  readonly request: MintRequest
  readonly idempotencyKey: string
  readonly deadline: number
}): Promise<Answer<MintAnswer>> {
  const { broker, request } = options
  const answer = await repeatOnce(options.deadline, async (milliseconds) => {
    const token = await options.idToken()
    return exchange({
      method: 'POST',
      url: `${broker}/v1/keys`,
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': options.idempotencyKey },
      body: JSON.stringify(request),
      status: 201,
      shape: mintAnswer,
      timeoutMilliseconds: Math.min(milliseconds, TRY_MILLISECONDS),
    })
  })
  if (answer.kind !== 'ok') return answer
  const objection = objectionTo(answer.value, request, new URL(broker).origin)
  return objection === null ? answer : nonsense(objection)
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
