import type { CryptoKey } from 'jose'
import type { Clock, Ledger, Log } from '#broker/ports.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { strictJsonObject } from '#domain/strict-json.ts'
import { discoverKeys } from './discover-keys.ts'
import { type RsaKey, rs256Key, usableKeys } from './key-set.ts'

/** From this age on a key set is fetched again, while it stays in use. */
export const FRESH_SECONDS = 600
/** How long the last good key set outlives an outage of its issuer. */
export const LAST_GOOD_SECONDS = 86_400
/** The least time between two fetches while a key set is in use, unknown `kid`s included. */
export const REFRESH_SECONDS = 60
/** The same while none is known, so that a broker that starts during an outage recovers soon after it. */
export const FIRST_FETCH_SECONDS = 5
/** The least time between two reads of a stored set that could not be read. */
export const RESTORE_SECONDS = 5
/** How far a stored set may come from the future. */
const LEEWAY_SECONDS = 30

/** The keys of the configured issuers: found by issuer and `kid`, kept through outages and restarts. */
export interface IssuerKeys {
  /** @returns `unavailable`: no key of this issuer is known, or those known are over a day old */
  find(issuer: string, kid: string): Promise<CryptoKey | 'unknown_kid' | 'unavailable'>
  /** Fetches the set again if it is due, and waits for it. */
  refresh(issuer: string): Promise<void>
  /** Whether a usable set is there. */
  isKnown(issuer: string): boolean
}

interface KeySet {
  readonly fetchedAt: NumericDate
  readonly keys: ReadonlyMap<string, CryptoKey>
}

/** One issuer's. */
interface Store {
  set: KeySet | null
  attemptedAt: NumericDate | null
  fetching: Promise<void> | null
  restoring: Promise<void> | null
  notRestoredAt: NumericDate | null
}

/**
 * @param records where the last good sets are kept; best sealed, since who can write them can sign tokens after a restart
 */
export function issuerKeys({
  clock,
  log,
  records,
  signal,
}: {
  readonly clock: Clock
  readonly log: Log
  readonly records?: Pick<Ledger, 'readRecord' | 'writeRecord'>
  readonly signal?: AbortSignal
}): IssuerKeys {
  const stores = new Map<string, Store>()

  const storeOf = (issuer: string): Store => {
    const store = stores.get(issuer) ?? {
      set: null,
      attemptedAt: null,
      fetching: null,
      restoring: null,
      notRestoredAt: null,
    }
    stores.set(issuer, store)
    return store
  }

  /** Seconds; a clock that was set back lets everything happen again. */
  const since = (instant: NumericDate | null): number => {
    const seconds = instant === null ? Infinity : clock() - instant
    return seconds < 0 ? Infinity : seconds
  }

  const isUsable = (set: KeySet | null): set is KeySet =>
    set !== null && clock() - set.fetchedAt <= LAST_GOOD_SECONDS && set.fetchedAt - clock() <= LEEWAY_SECONDS

  const isDue = (store: Store): boolean =>
    since(store.attemptedAt) >= (isUsable(store.set) ? REFRESH_SECONDS : FIRST_FETCH_SECONDS)

  const isAged = (store: Store): boolean =>
    !isUsable(store.set) || store.attemptedAt === null || since(store.set.fetchedAt) >= FRESH_SECONDS

  /** One fetch at a time; whoever comes meanwhile waits for the same. */
  const fetchSet = (issuer: string, store: Store): Promise<void> => {
    store.fetching ??= replaceSet(issuer, store)
      .catch(() => log.warn('issuer.keys_unavailable', { issuer, reason: 'fault' }))
      .finally(() => {
        store.fetching = null
      })
    return store.fetching
  }

  const replaceSet = async (issuer: string, store: Store): Promise<void> => {
    const fetchedAt = clock()
    store.attemptedAt = fetchedAt
    const found = await discoverKeys(issuer, signal)
    if (signal?.aborted) return
    if (typeof found === 'string') return log.warn('issuer.keys_unavailable', { issuer, reason: found })
    const set = await keySet(fetchedAt, found)
    if (!sameKids(set, store.set)) log.info('issuer.keys_changed', { issuer, keys: [...set.keys.keys()] })
    store.set = set
    // Not waited for: the keys are good, and a slow disk must not hold tokens up.
    records
      ?.writeRecord(recordName(issuer), Buffer.from(JSON.stringify({ issuer, fetched_at: fetchedAt, keys: found })))
      .catch(() => log.warn('issuer.keys_not_stored', { issuer }))
  }

  /** The set of the process before this one, once. A read that failed is repeated, while no set has come meanwhile. */
  const restore = async (issuer: string, store: Store): Promise<void> => {
    if (!store.restoring && (store.set || since(store.notRestoredAt) < RESTORE_SECONDS)) return
    store.restoring ??= readSet(issuer, store).catch(() => {
      store.restoring = null
      store.notRestoredAt = clock()
      log.warn('issuer.keys_not_restored', { issuer })
    })
    await store.restoring
  }

  const readSet = async (issuer: string, store: Store): Promise<void> => {
    const stored = await records?.readRecord(recordName(issuer))
    const set = stored ? await storedSet(issuer, stored) : null
    // One that was fetched while the ledger took its time is newer.
    store.set ??= set
  }

  return {
    async find(issuer, kid) {
      const store = storeOf(issuer)
      await restore(issuer, store)
      const isKnown = isUsable(store.set) && store.set.keys.has(kid)
      // A restored set is used only when its issuer was asked once: it may hold keys that were withdrawn meanwhile.
      if (!isKnown || store.attemptedAt === null) {
        if (store.fetching || isDue(store)) await fetchSet(issuer, store)
      } else if (isAged(store) && isDue(store)) void fetchSet(issuer, store)
      return isUsable(store.set) ? (store.set.keys.get(kid) ?? 'unknown_kid') : 'unavailable'
    },
    async refresh(issuer) {
      const store = storeOf(issuer)
      await restore(issuer, store)
      if (store.fetching || (isAged(store) && isDue(store))) await fetchSet(issuer, store)
    },
    isKnown: (issuer) => isUsable(stores.get(issuer)?.set ?? null),
  }
}

const recordName = (issuer: string) => `issuer-keys|${issuer}`

/** A stored set, if it is this issuer's and still of the form that would be accepted from the issuer itself. */
async function storedSet(issuer: string, stored: Uint8Array): Promise<KeySet | null> {
  const record = strictJsonObject(stored)
  if (record?.['issuer'] !== issuer || typeof record['fetched_at'] !== 'number') return null
  const keys = usableKeys(record)
  return typeof keys === 'string' ? null : keySet(record['fetched_at'], keys)
}

async function keySet(fetchedAt: NumericDate, keys: readonly RsaKey[]): Promise<KeySet> {
  return {
    fetchedAt,
    keys: new Map(await Promise.all(keys.map(async (key) => [key.kid, await rs256Key(key)] as const))),
  }
}

function sameKids(one: KeySet, other: KeySet | null): boolean {
  return one.keys.size === other?.keys.size && [...one.keys.keys()].every((kid) => other.keys.has(kid))
}
