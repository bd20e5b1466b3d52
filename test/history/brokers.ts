import { randomBytes } from 'node:crypto'
import { type Issuer, startIssuer } from '#test/support/issuer.ts'
import { startPostgres } from '#test/support/postgres.ts'
import { type Provider, startProvider } from '#test/support/provider.ts'
import { type SpawnedTill, spawnTill, type TillOptions } from '#test/support/start-till.ts'
import { loadPolicy } from './load.ts'

export const STORES = ['sqlite', 'postgres'] as const
export type Store = (typeof STORES)[number]

/** Brokers that serve the same keys, what is around them, and the store that they share. */
export interface SharedBrokers {
  readonly brokers: readonly SpawnedTill[]
  readonly issuer: Issuer
  readonly provider: Provider
  close(): Promise<void>
}

const REPLICAS = 3
const ACTIVATIONS = 40

/** One process on a SQLite file, or three on a PostgreSQL server that is started for them. */
export async function startBrokers(store: Store): Promise<SharedBrokers> {
  const issuer = await startIssuer()
  const provider = await startProvider()
  const options = { issuer, provider, policies: [loadPolicy(ACTIVATIONS)] }
  const { brokers, closeStore } = store === 'sqlite' ? await onSqlite(options) : await onPostgres(options)
  return {
    brokers,
    issuer,
    provider,
    async close() {
      await Promise.all(brokers.map((broker) => broker.close()))
      await provider.close()
      await issuer.close()
      await closeStore()
    },
  }
}

async function onSqlite(options: TillOptions) {
  return { brokers: [await spawnTill(options)], closeStore: async () => {} }
}

async function onPostgres(options: TillOptions) {
  const postgres = await startPostgres()
  const settings = { storage: await postgres.createDatabase(), master_key: 'env:TILL_MASTER_KEY' }
  const env = { TILL_MASTER_KEY: randomBytes(32).toString('base64') }
  const replicas = Array.from({ length: REPLICAS }, () => spawnTill({ ...options, settings, env }))
  return { brokers: await Promise.all(replicas), closeStore: () => postgres.stop() }
}
