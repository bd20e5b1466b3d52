import { HEADER_NAME, HEADER_VALUE, nominated, requestHeaderPasses } from '#domain/headers.ts'
import type { Provider } from '#domain/provider.ts'

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
): string[] | null {
  const ofConnection = connectionNames(raw)
  const headers: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = passing(raw[i]!)
    if (name === null || name === provider.header.name || ofConnection?.includes(name)) continue
    const value = raw[i + 1]!
    if (!HEADER_VALUE.test(value) || value.includes(key)) continue
    headers.push(name, value)
  }
  headers.push('accept-encoding', 'identity')
  const value = provider.header.before + credential + provider.header.after
  if (!HEADER_NAME.test(provider.header.name) || !HEADER_VALUE.test(value) || credential === '') return null
  headers.push(provider.header.name, value)
  return headers
}

function connectionNames(raw: readonly string[]): readonly string[] | null {
  let names: string[] | null = null
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length !== 10 || raw[i]!.toLowerCase() !== 'connection') continue
    names ??= []
    names.push(...nominated(raw[i + 1]!))
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
    const name = written.toLowerCase()
    verdict = HEADER_NAME.test(name) && requestHeaderPasses(name) ? name : null
    if (judged.size < MOST_JUDGED) judged.set(written, verdict)
  }
  return verdict
}
