import { setSecret } from '@actions/core'

/** Makes the runner replace a secret by `***` in everything that the job prints from now on. */
export function mask(secret: string): void {
  if (secret !== '') setSecret(secret)
}

/** Masks a key and the forms in which a program may print it. The runner adds its own: JSON, URL and shifted base64. */
export function maskKey(key: string): void {
  const bytes = Buffer.from(key)
  const hex = bytes.toString('hex')
  for (const form of [key, hex, hex.toUpperCase(), bytes.toString('base64url'), bytes.toString('base64')]) mask(form)
}
