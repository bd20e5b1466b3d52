import type { Ports, Rules } from './ports.ts'

/** How long one look at the parts answers for all who ask. Seconds. */
const LOOK_SECONDS = 1

/**
 * Whether the broker can do its work. A look writes to the disk, so it is taken at most once a second, whoever asks
 * how often.
 *
 * @returns a function that names the part that does not work now, `null` when all do
 */
export function readiness({
  ledger,
  credentials,
  rules,
  clock,
  issuersWithoutKeys,
  issuers,
}: Pick<Ports, 'ledger' | 'credentials' | 'rules' | 'clock'> & {
  readonly issuersWithoutKeys: () => readonly string[]
  readonly issuers: () => number
}): () => Promise<string | null> {
  const look = async (): Promise<string | null> => {
    const isWritable = await ledger.check().then(
      () => true,
      () => false,
    )
    if (!isWritable) return 'storage'
    if (issuersWithoutKeys().length === issuers()) return 'issuer keys'
    return anyIsReady(rules(), credentials) ? null : 'credentials'
  }
  let lastLook: { readonly at: number; readonly found: Promise<string | null> } | null = null
  return () => {
    const now = clock()
    if (!lastLook || Math.abs(now - lastLook.at) >= LOOK_SECONDS) lastLook = { at: now, found: look() }
    return lastLook.found
  }
}

/** One provider without a credential is that provider's trouble; the broker serves the others. */
function anyIsReady({ providers }: Rules, credentials: Ports['credentials']): boolean {
  return [...providers.keys()].some((name) => credentials.read(name) !== null)
}
