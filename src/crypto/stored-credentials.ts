import type { Provider } from '#domain/provider.ts'
import { SealError } from './seal.ts'
import type { Records } from './sealed-records.ts'

/** What a header can carry as one value: visible ASCII. */
const FIT_FOR_HEADER = /^[\x21-\x7e]{1,8192}$/

/**
 * The name under which a provider's credential is sealed. The origin is part of it, so that a provider that is pointed
 * somewhere else has no credential until its operator gives it one (SECURITY, T37).
 */
export function credentialRecord(provider: Provider): string {
  return `credential|${provider.name}|${provider.origin}`
}

/**
 * Reads the credential that `till credential set` sealed for a provider.
 *
 * @param records sealed under the master key
 * @returns `null` when there is none, or none that opens and fits a header
 */
export async function storedCredential(records: Records, provider: Provider): Promise<string | null> {
  const bytes = await records.readRecord(credentialRecord(provider)).catch((error: unknown) => {
    if (error instanceof SealError) return null
    throw error
  })
  if (!bytes) return null
  const text = Buffer.from(bytes).toString('latin1')
  bytes.fill(0)
  return FIT_FOR_HEADER.test(text) ? text : null
}
