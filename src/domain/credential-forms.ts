import {
  escaped,
  JSON_AROUND,
  JSON_ESCAPERS,
  MARKUP_ESCAPERS,
  NOTATIONS,
  SCRIPT_ESCAPERS,
  URL_ESCAPERS,
} from './escapers.ts'
import type { CredentialHeader } from './provider.ts'

/**
 * Every text under which a credential is to be known again: as it is, in base64 at each of its three shifts, in
 * base64url, in hex, and, unless it is very long, as each of the escapers writes it, for JSON also within JSON.
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

/**
 * Of a longer one not all that could be written is looked for: the redactor would take seconds and hundreds of megabytes
 * to be made. Tokens of that length are base64url, which nearly all encoders leave as it is.
 */
const LONGEST_ESCAPED = 2048

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
  const hex = Array.from(secret, (character) => character.charCodeAt(0).toString(16).padStart(2, '0')).join('')
  yield hex
  yield hex.toUpperCase()
  if (secret.length > LONGEST_ESCAPED) return
  for (const notation of NOTATIONS) yield Array.from(secret, notation).join('')
  for (const escaper of Object.values(JSON_ESCAPERS)) {
    const once = escaped(secret, escaper)
    yield once
    for (const around of [escaper, ...JSON_AROUND]) yield escaped(once, around)
  }
  for (const escapers of [SCRIPT_ESCAPERS, MARKUP_ESCAPERS, URL_ESCAPERS])
    for (const escaper of Object.values(escapers)) yield escaped(secret, escaper)
}

/** The digits of base64 that the secret alone decides when `shift` bytes of something else stand before it. */
function base64Within(secret: string, shift: number): string {
  const digits = btoa('\0'.repeat(shift) + secret).replaceAll('=', '')
  const first = Math.ceil((shift * 8) / 6)
  const last = Math.floor(((shift + secret.length) * 8) / 6)
  return digits.slice(first, last)
}

function fromBase64(text: string): string | null {
  try {
    return atob(text)
  } catch {
    return null
  }
}
