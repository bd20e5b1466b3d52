import type { Rules } from '#broker/ports.ts'
import type { Grant } from '#domain/grant.ts'
import { isKey } from '#domain/key.ts'
import type { Provider } from '#domain/provider.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import { formatRoute } from '#domain/route.ts'
import { place } from '#domain/scope.ts'
import * as say from '#domain/sentence.ts'
import { canonicalPath, type ProxyTarget, parseProxyTarget } from '#domain/target.ts'
import type { ClientRequest } from './client.ts'
import { outgoingHead } from './outgoing-head.ts'
import { PlainRequest } from './plain-request.ts'
import { presentedKey } from './presented-key.ts'

/** Where a head falls in the scope of a grant. */
export type PlacedHead =
  | { readonly kind: 'outside'; readonly what: 'provider' | 'route'; readonly asked: string }
  | {
      readonly kind: 'inside'
      /** Method and path as asked, for the record. */
      readonly asked: string
      readonly provider: Provider
      /** The template that admits it, such as `POST /v1/responses`. */
      readonly route: string
      readonly isFree: boolean
      /** Where the model stands that has to be checked; `null` when none has. */
      readonly checked: Provider['model'] | null
      /** In the provider's own spelling. */
      readonly path: string
      /** The path and the query: exactly what is sent. */
      readonly target: string
    }

/**
 * What a head asks for. A client sends the same head over one connection again and again, but for the length of the
 * body, and then it is looked at once: all that is remembered follows from the head, and from what is given here.
 */
export class AskedHead {
  readonly kind = 'asked'
  readonly target: ProxyTarget
  /** Of the form of a key. */
  readonly key: string
  readonly #method: string
  readonly #rawHeaders: readonly string[]
  #placed: { readonly rules: Rules; readonly grant: Grant; readonly placed: PlacedHead } | null = null
  #outgoing: {
    readonly provider: Provider
    readonly credential: string
    readonly headers: readonly string[] | null
  } | null = null

  constructor(target: ProxyTarget, key: string, method: string, rawHeaders: readonly string[]) {
    this.target = target
    this.key = key
    this.#method = method
    this.#rawHeaders = rawHeaders
  }

  placed(rules: Rules, grant: Grant): PlacedHead {
    if (this.#placed?.rules !== rules || this.#placed.grant !== grant)
      this.#placed = { rules, grant, placed: this.#place(rules, grant) }
    return this.#placed.placed
  }

  #place(rules: Rules, { scope }: Grant): PlacedHead {
    const { target } = this
    const provider = rules.providers.get(target.provider)
    const path = provider ? canonicalPath(provider, target.path) : target.path
    const asked = `${this.#method} ${path}`
    const placement = place(scope, provider, this.#method, path)
    if (placement.kind === 'outside') return { kind: 'outside', what: placement.what, asked }
    if (!provider) return { kind: 'outside', what: 'provider', asked }
    const isFree = placement.kind === 'free'
    return {
      kind: 'inside',
      asked,
      provider,
      route: formatRoute(placement.route),
      isFree,
      checked: scope.models !== null && !isFree ? provider.model : null,
      path,
      target: path + target.query,
    }
  }

  /** As `outgoingHead`. */
  headersFor(provider: Provider, credential: string): readonly string[] | null {
    if (this.#outgoing?.provider !== provider || this.#outgoing.credential !== credential)
      this.#outgoing = { provider, credential, headers: outgoingHead(this.#rawHeaders, provider, credential, this.key) }
    return this.#outgoing.headers
  }
}

/** By the head that requests of one connection share. */
const asked = new WeakMap<object, AskedHead>()

/** What the head of a request asks for, once it is known that there is one way to read it. */
export function askedHead(request: ClientRequest, targetBytes: number): AskedHead | Refusal {
  if (!(request instanceof PlainRequest)) return readHead(request, targetBytes)
  const known = asked.get(request.head)
  if (known) return known
  const read = readHead(request, targetBytes)
  if (read.kind === 'asked') asked.set(request.head, read)
  return read
}

function readHead({ method, url, rawHeaders }: ClientRequest, targetBytes: number): AskedHead | Refusal {
  const target = parseProxyTarget(url!, targetBytes)
  if (target.kind === 'refused') return target
  const key = presentedKey(rawHeaders)
  if (key.kind === 'refused') return key
  if (!isKey(key.text)) return UNKNOWN_KEY
  if (url!.includes(key.text)) return KEY_IN_TARGET
  return new AskedHead(target, key.text, method!, rawHeaders)
}

export const UNKNOWN_KEY = refusal('key_invalid', say.UNKNOWN_KEY)
const KEY_IN_TARGET = refusal('request_refused', say.KEY_IN_TARGET)
