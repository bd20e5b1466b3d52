import { type Refusal, refusal } from '#domain/refusal.ts'

/** What a request shows as its key: checked for nothing yet. */
export type PresentedKey = { readonly kind: 'presented'; readonly text: string } | Refusal

/**
 * Takes the key from `authorization` (`Bearer`, `token`, or the password of `Basic`), `x-api-key`, `x-goog-api-key` or
 * `api-key`. Clients send it in two of them, so the same text twice is fine; two texts are refused, for no reader could
 * say which of them counts.
 *
 * @param raw name, value, name, value, as received
 */
export function presentedKey(raw: readonly string[]): PresentedKey {
  let found = ''
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const length = name.length
    // All the names there are have one of these lengths: `api-key`, `x-api-key`, `authorization`, `x-goog-api-key`.
    if (length !== 7 && length !== 9 && length !== 13 && length !== 14) continue
    const text = credentialIn(name.toLowerCase(), raw[i + 1]!)
    if (text === '' || text === found) continue
    if (found !== '') return TWO_CREDENTIALS
    found = text
  }
  return found === '' ? NO_KEY : { kind: 'presented', text: found }
}

/** The credential in a header, or empty when it carries none. */
function credentialIn(name: string, value: string): string {
  switch (name) {
    case 'authorization':
      return credentialOfAuthorization(value.trim())
    case 'x-api-key':
    case 'x-goog-api-key':
    case 'api-key':
      return value.trim()
    default:
      return ''
  }
}

/** A scheme that carries no key of ours is a credential all the same: the whole value stands for it. */
function credentialOfAuthorization(value: string): string {
  const blank = value.indexOf(' ')
  if (blank < 0) return isSchemeAlone(value) ? '' : value
  const scheme = value.slice(0, blank).toLowerCase()
  const rest = value.slice(blank + 1).trim()
  if (scheme === 'bearer' || scheme === 'token') return rest
  if (scheme !== 'basic') return value
  const pair = Buffer.from(rest, 'base64').toString('latin1')
  const colon = pair.indexOf(':')
  return colon < 0 ? value : pair.slice(colon + 1)
}

function isSchemeAlone(value: string): boolean {
  const scheme = value.toLowerCase()
  return scheme === '' || scheme === 'bearer' || scheme === 'token' || scheme === 'basic'
}

const TWO_CREDENTIALS = refusal(
  'request_refused',
  'The request is refused: it carries two different credentials. Send the key of Till alone, in one header.',
)

const NO_KEY = refusal(
  'key_invalid',
  'No key was sent. Send the key that the mint step put out, as "authorization: Bearer <key>" or "x-api-key: <key>".',
)
