import type { Ports, Rules } from './ports.ts'

/** For how long one write to the disk answers for the storage, whoever asks how often. Seconds. */
const PROBE_SECONDS = 1

/** What `GET /readyz` names. Public: added, never renamed. */
export type BrokerPart = 'storage' | 'issuer keys' | 'clock' | 'credentials' | 'stopping'

/**
 * Whether the broker can do its work.
 *
 * @param parts `issuers`: how many are configured; `issuersWithoutKeys`: whose tokens cannot be verified now
 * @returns a function that names the part that does not work now, `null` when all do
 */
export function readiness({
  ledger,
  credentials,
  rules,
  clock,
  issuers,
  issuersWithoutKeys,
}: Pick<Ports, 'ledger' | 'credentials' | 'rules' | 'clock'> & {
  readonly issuers: () => number
  readonly issuersWithoutKeys: () => readonly string[]
}): () => Promise<BrokerPart | null> {
  let probe: { readonly at: number; readonly isWritable: Promise<boolean> } | null = null
  const storageIsWritable = (): Promise<boolean> => {
    const now = clock()
    if (!probe || Math.abs(now - probe.at) >= PROBE_SECONDS)
      probe = { at: now, isWritable: ledger.check().then(yes, no) }
    return probe.isWritable
  }
  return async () => {
    if (!(await storageIsWritable())) return 'storage'
    if (issuersWithoutKeys().length === issuers()) return 'issuer keys'
    return anyIsReady(rules(), credentials) ? null : 'credentials'
  }
}

const yes = () => true
const no = () => false

/** One provider without a credential is that provider's trouble; the broker serves the others. */
function anyIsReady({ providers }: Rules, credentials: Ports['credentials']): boolean {
  return [...providers.keys()].some((name) => credentials.read(name) !== null)
}
