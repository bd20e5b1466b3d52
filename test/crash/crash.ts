import { setTimeout as sleep } from 'node:timers/promises'
import { verifyTrail } from '#audit/verify-trail.ts'
import type { AuditTrail } from '#broker/ports.ts'
import { type ReceiptKeys, verifyJws } from '#crypto/verify-receipt.ts'
import type { AuditEvent } from '#domain/audit-event.ts'
import { openTrail } from '#storage/sqlite/trail.ts'
import { check } from '#test/history/checker.ts'
import { type LoadedKey, loadPolicy, startLoad } from '#test/history/load.ts'
import { startIssuer } from '#test/support/issuer.ts'
import { type Provider, startProvider } from '#test/support/provider.ts'
import { type SpawnedTill, spawnTill } from '#test/support/start-till.ts'

export interface CrashRun {
  readonly kills: readonly Kill[]
  /** What was wrong with the histories of keys, when all was over. */
  readonly violations: readonly string[]
  readonly requests: number
  readonly keys: number
  /** Requests at the provider beyond the budgets of their keys, all keys together. */
  readonly overspent: number
  /** Calls that waited for an answer when a kill came, all kills together. */
  readonly interrupted: number
  /** What a start takes after a clean stop, before all kills, in milliseconds: what the machine itself needs. */
  readonly cleanStart: number
}

export interface Kill {
  /** What was wrong after it, one sentence each. */
  readonly faults: readonly string[]
  /** From the start of the process until it is ready, in milliseconds. */
  readonly recovery: number
}

const CLIENTS = 24
const NO_TRACE: ChainOnRecord = { activations: new Set(), givenBack: 0, hasEnded: false }

/**
 * Kills a broker under load, a real process that serves real HTTP, and after each restart compares what the provider has
 * received, what the clients were told, and what is on record. One kill in five comes while it starts.
 */
export async function crashRun(kills: number, onKill: (kill: Kill) => void = () => {}): Promise<CrashRun> {
  const issuer = await startIssuer()
  const provider = await startProvider()
  const settings = { audit: { every: 1 } }
  const broker = await spawnTill({ issuer, provider, settings, policies: [loadPolicy(40)] })
  await broker.kill('SIGTERM')
  const cleanStart = await timed(() => broker.start())
  const load = startLoad({ brokers: [broker], issuer, clients: CLIENTS })
  const results: Kill[] = []
  let interrupted = 0
  try {
    const signedBy = (await (await broker.fetch('/.well-known/jwks.json')).json()) as ReceiptKeys
    while (results.length < kills) {
      await sleep(Math.random() * 600)
      interrupted += load.waiting
      await broker.kill('SIGKILL')
      const before = seen(load.keys, provider)
      if (results.length % 5 === 4) await killAtStart(broker)
      const recovery = await timed(() => broker.start())
      const kill = { recovery, faults: await compare(before, broker, signedBy) }
      results.push(kill)
      onKill(kill)
    }
    await load.stop()
    const counts = seen(load.keys, provider)
    return {
      kills: results,
      violations: load.keys.filter(({ calls, limit }) => !check(calls, limit).isLinearizable).map(({ id }) => id),
      requests: provider.received.length,
      keys: load.keys.length,
      overspent: counts.reduce((sum, { key, arrived }) => sum + Math.max(0, arrived - key.limit), 0),
      interrupted,
      cleanStart,
    }
  } finally {
    await load.stop().catch(() => {})
    await broker.close()
    await provider.close()
    await issuer.close()
  }
}

/** Milliseconds. */
async function timed(task: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await task()
  return performance.now() - start
}

async function killAtStart(broker: SpawnedTill): Promise<void> {
  const starting = broker.start().catch(() => {})
  await sleep(Math.random() * 800)
  await broker.kill('SIGKILL')
  await starting
}

/** What is known of a key outside the broker, at a moment when the broker is dead. */
interface Seen {
  readonly key: LoadedKey
  readonly arrived: number
  readonly answered: readonly string[]
  readonly isRevoked: boolean
}

function seen(keys: readonly LoadedKey[], provider: Provider): Seen[] {
  const arrived = new Map<string, number>()
  for (const { body } of provider.received) {
    // A body that a kill has cut off names no key, and belongs to a request that was charged like any other.
    const id = /k_[0-9A-Za-z]{22}/.exec(body)?.[0] ?? ''
    arrived.set(id, (arrived.get(id) ?? 0) + 1)
  }
  return keys.map((key) => ({
    key,
    arrived: arrived.get(key.id) ?? 0,
    answered: [...key.answered],
    isRevoked: key.calls.some(({ did, end }) => did.kind === 'revoked' && end !== null),
  }))
}

/** Everything that was seen outside must be on record, and no budget exceeded. */
async function compare(before: readonly Seen[], broker: SpawnedTill, signedBy: ReceiptKeys): Promise<string[]> {
  const trail = openTrail(broker.database)
  const chains = new Map<string, ChainOnRecord>()
  const report = await verifyTrail(gathering(trail, chains), (jws, type) => verifyJws(jws, signedBy, type))
  await trail.close()
  return [
    ...report.faults.map((fault) => `the trail does not hold: ${JSON.stringify(fault)}`),
    ...before.flatMap((one) => missing(one, chains.get(one.key.id) ?? NO_TRACE)),
  ]
}

interface ChainOnRecord {
  /** The ids of requests that were charged. */
  readonly activations: Set<string>
  givenBack: number
  hasEnded: boolean
}

/** Passes a trail on, and keeps what of it is compared. */
function gathering(trail: AuditTrail, chains: Map<string, ChainOnRecord>): Pick<AuditTrail, 'checkpoints' | 'records'> {
  return {
    checkpoints: () => trail.checkpoints(),
    async *records(chain) {
      for await (const record of trail.records(chain)) {
        if (record.kind === 'event') gather(JSON.parse(Buffer.from(record.bytes).toString()) as AuditEvent, chains)
        yield record
      }
    },
  }
}

function gather(event: AuditEvent, chains: Map<string, ChainOnRecord>): void {
  const chain = chains.get(event.chain) ?? { activations: new Set(), givenBack: 0, hasEnded: false }
  chains.set(event.chain, chain)
  if (event.type === 'activation') chain.activations.add(event.request_id)
  if (event.type === 'activation.given_back') chain.givenBack++
  if (event.type === 'key.ended') chain.hasEnded = true
}

function missing({ key, arrived, answered, isRevoked }: Seen, chain: ChainOnRecord): string[] {
  const charged = chain.activations.size - chain.givenBack
  const lost = answered.filter((id) => !chain.activations.has(id))
  return [
    ...(arrived > key.limit
      ? [`${key.id}: ${arrived} requests reached the provider, the budget was ${key.limit}`]
      : []),
    ...(charged > key.limit ? [`${key.id}: ${charged} activations are on record, the budget was ${key.limit}`] : []),
    ...(arrived > charged ? [`${key.id}: ${arrived} requests reached the provider, ${charged} are on record`] : []),
    ...(lost.length > 0 ? [`${key.id}: of ${lost.length} answered requests there is no record`] : []),
    ...(isRevoked && !chain.hasEnded ? [`${key.id}: its revocation was acknowledged and is not on record`] : []),
  ]
}
