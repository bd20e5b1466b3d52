import { HEADER_NAME, isHeaderValue, nominated, requestHeaderPasses } from '#domain/headers.ts'
import type { Provider } from '#domain/provider.ts'
import { ownText } from './own-text.ts'

/**
 * The headers that the provider gets: the client's that pass, then ours. Everything that could make sending fail is
 * looked at here, so that nothing can fail after the charge.
 *
 * @param raw name, value, name, value, as received
 * @param key of Till: goes upstream in no header at all
 * @returns name, value, name, value; or `null` when the credential does not fit into a header
 */
export function outgoingHead(
  raw: readonly string[],
  provider: Provider,
  credential: string,
  key: string,
): readonly string[] | null {
  const ofConnection = connectionNames(raw)
  const headers: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = passing(raw[i]!)
    if (name === null || name === provider.header.name || ofConnection?.includes(name)) continue
    const value = raw[i + 1]!
    if (!isHeaderValue(value) || (value.length >= key.length && value.includes(key))) continue
    headers.push(name, value)
  }
  const own = credentialValue(provider, credential)
  if (own === null) return null
  headers.push('accept-encoding', 'identity', provider.header.name, own)
  return headers
}

/** Each provider's header is looked at once, and again when its credential has been rotated. */
const looked = new WeakMap<Provider, { readonly credential: string; readonly value: string | null }>()

/** What the provider's header holds; `null` when it cannot be sent. */
function credentialValue(provider: Provider, credential: string): string | null {
  const before = looked.get(provider)
  if (before?.credential === credential) return before.value
  const { header } = provider
  const value = header.before + credential + header.after
  const isSent = HEADER_NAME.test(header.name) && isHeaderValue(value) && credential !== ''
  looked.set(provider, { credential, value: isSent ? value : null })
  return isSent ? value : null
}

function connectionNames(raw: readonly string[]): readonly string[] | null {
  let names: string[] | null = null
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length !== 10 || raw[i]!.toLowerCase() !== 'connection') continue
    const more = nominated(raw[i + 1]!)
    if (more) names = [...(names ?? []), ...more]
  }
  return names
}

/** Clients send the same few names over and over: each is judged once. Names are theirs, so the table is bounded. */
const judged = new Map<string, string | null>()
const MOST_JUDGED = 2048

/** The name in lower case; `null` when a header of this name does not pass. */
function passing(written: string): string | null {
  let verdict = judged.get(written)
  if (verdict === undefined) {
    if (!HEADER_NAME.test(written)) return null
    const name = written.toLowerCase()
    verdict = requestHeaderPasses(name) ? ownText(name) : null
    if (judged.size < MOST_JUDGED) judged.set(ownText(written), verdict)
  }
  return verdict
}
