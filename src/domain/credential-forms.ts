import type { CredentialHeader } from './provider.ts'

/**
 * Every text under which a credential is to be known again: as it is, in base64 at each of its three shifts, in
 * base64url, in hex, percent-encoded, and escaped for JSON or HTML.
 *
 * @param credential printable, for it fits into a header
 * @returns each once
 */
export function credentialForms(credential: string, header: Pick<CredentialHeader, 'before'>): readonly string[] {
  const forms = new Set<string>()
  for (const secret of secretsIn(credential, header)) {
    forms.add(secret)
    if (secret.length < SHORTEST_ENCODED) continue
    for (const form of encodings(secret)) if (form.length >= SHORTEST_ENCODED) forms.add(form)
  }
  return [...forms]
}

/** Shorter texts would be found in encodings of anything. */
const SHORTEST_ENCODED = 6

/** With HTTP Basic the credential is `user:password` in base64: the pair and its password are secret too. */
function secretsIn(credential: string, header: Pick<CredentialHeader, 'before'>): string[] {
  const secrets = [credential]
  if (header.before.trim().toLowerCase() !== 'basic') return secrets
  const pair = fromBase64(credential)
  if (pair === null) return secrets
  secrets.push(pair)
  const password = pair.slice(pair.indexOf(':') + 1)
  if (password !== pair && password.length >= SHORTEST_ENCODED) secrets.push(password)
  return secrets
}

function* encodings(secret: string): Generator<string> {
  for (let shift = 0; shift < 3; shift++) {
    const base64 = base64Within(secret, shift)
    yield base64
    yield base64.replaceAll('+', '-').replaceAll('/', '_')
  }
  yield eachByte(secret, '', lower)
  yield eachByte(secret, '', upper)
  for (const kept of [NOTHING, ...KEPT_IN_URLS])
    for (const digits of [lower, upper])
      yield [...secret].map((one) => (kept.test(one) ? one : eachByte(one, '%', digits))).join('')
  const json = JSON.stringify(secret).slice(1, -1)
  yield json
  yield json.replaceAll('/', '\\/')
  yield eachByte(secret, '\\u00', lower)
  yield eachByte(secret, '\\u00', upper)
  yield secret.replaceAll(/[&<>"']/g, (character) => HTML[character]!)
}

const NOTHING = /[^\s\S]/
/** RFC 3986, `encodeURIComponent`, HTML forms, and `encodeURI`. */
const KEPT_IN_URLS = [
  /[A-Za-z0-9\-._~]/,
  /[A-Za-z0-9\-._~!*'()]/,
  /[A-Za-z0-9\-._*]/,
  /[A-Za-z0-9\-._~!*'();,/?:@&=+$#]/,
]
const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** The digits of base64 that the secret alone decides when `shift` bytes of something else stand before it. */
function base64Within(secret: string, shift: number): string {
  const digits = btoa('\0'.repeat(shift) + secret).replaceAll('=', '')
  const first = Math.ceil((shift * 8) / 6)
  const last = Math.floor(((shift + secret.length) * 8) / 6)
  return digits.slice(first, last)
}

function eachByte(secret: string, before: string, digits: (hex: string) => string): string {
  let text = ''
  for (const character of secret) text += before + digits(character.charCodeAt(0).toString(16).padStart(2, '0'))
  return text
}

const lower = (hex: string) => hex
const upper = (hex: string) => hex.toUpperCase()

function fromBase64(text: string): string | null {
  try {
    return atob(text)
  } catch {
    return null
  }
}
