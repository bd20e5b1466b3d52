import { setTimeout as sleep } from 'node:timers/promises'
import type { Issuer } from '#test/support/issuer.ts'
import { POLICY, type SpawnedTill } from '#test/support/start-till.ts'
import type { SelfAnswer } from '#wire/self.ts'
import type { Call, Did } from './checker.ts'

/** What the brokers under load must allow: keys of any number of repositories, so that mints are not the limit. */
export function loadPolicy(activations: number): object {
  const { repository_id: _, ...policy } = POLICY
  return { ...policy, repository_owner_id: '11', activations, limits: { concurrent_requests: 1000 } }
}

/** A key, and everything that clients did with it. */
export interface LoadedKey {
  readonly id: string
  readonly key: string
  readonly limit: number
  readonly calls: Call[]
  /** `till-request-id` of every use that was answered by the provider. */
  readonly answered: string[]
}

export interface Load {
  readonly keys: readonly LoadedKey[]
  /** Calls that wait for an answer now. */
  readonly waiting: number
  /** Resolves when every client has its last answer. */
  stop(): Promise<void>
}

/** How long a client waits before it gives up, and does not know what came of its call. Milliseconds. */
const PATIENCE = 5000
/** Keys that are in use at once. */
const KEYS = 8
/** Uses of a spent key before its place is taken by a new one. */
const REFUSALS = 10

/**
 * Clients that mint, use, read and revoke keys at random, each call at a broker drawn at random, until `stop`. A use says
 * in its body which key it is for, so that the provider knows.
 *
 * @param clients how many, each with one call at a time
 * @throws from `stop`: an answer that no broker may give
 */
export function startLoad({
  brokers,
  issuer,
  clients,
}: {
  readonly brokers: readonly SpawnedTill[]
  readonly issuer: Issuer
  readonly clients: number
}): Load {
  const keys: LoadedKey[] = []
  const inUse: (LoadedKey | null)[] = Array(KEYS).fill(null)
  let place = 0
  let waiting = 0
  let isStopped = false

  const client = async () => {
    while (!isStopped) {
      const slot = Math.floor(Math.random() * KEYS)
      const key = inUse[slot]
      try {
        waiting++
        if (key) await act(key, slot)
        else await mint(slot)
      } finally {
        waiting--
      }
    }
  }

  async function mint(slot: number): Promise<void> {
    const job = issuer.job({ repository_id: String(1000 + Math.floor(Math.random() * 1e9)) })
    const minted = await draw(brokers)
      .mint({ job })
      .catch((error) => (error.name === 'MintFailed' && error.status !== 503 ? Promise.reject(error) : null))
    if (!minted) return sleep(20)
    const key = { id: minted.id, key: minted.key, limit: minted.activations, calls: [], answered: [] }
    keys.push(key)
    inUse[slot] = key
  }

  async function act(key: LoadedKey, slot: number): Promise<void> {
    const what = draw(ACTS)
    const begin = place
    place += 2
    const did = await what(draw(brokers), key)
    if (did === 'nothing') return sleep(20)
    // A request that waits for the provider when its key ends is answered as one that came after the end.
    if (what === use && did.did.kind === 'refused_ended')
      key.calls.push({ begin: begin + 1, end: null, did: { kind: 'used' } })
    key.calls.push({ begin, end: did.isKnown ? place++ : null, did: did.did })
    const refusals = key.calls.filter(({ did }) => did.kind.startsWith('refused')).length
    if (refusals >= REFUSALS && inUse[slot] === key) inUse[slot] = null
  }

  const running = Promise.all(Array.from({ length: clients }, client))
  running.catch(() => {})
  return {
    keys,
    get waiting() {
      return waiting
    },
    async stop() {
      isStopped = true
      await running
    },
  }
}

/** `nothing`: it is certain that no broker has heard of it. */
type Outcome = { readonly did: Did; readonly isKnown: boolean } | 'nothing'
type Act = (broker: SpawnedTill, key: LoadedKey) => Promise<Outcome>

const use: Act = async (broker, key) => {
  const answer = await ask(broker, '/proxy/openai/v1/responses', key, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-5-mini', input: key.id }),
  })
  if (answer === 'refused') return 'nothing'
  const code = answer?.headers['till-error']
  if (!answer || answer.status === 503) return { did: { kind: 'used' }, isKnown: false }
  if (answer.status === 200) key.answered.push(answer.headers['till-request-id']!)
  // An upstream connection that broke after it was used: charged.
  if (answer.status === 200 || code === 'provider_failed') return { did: { kind: 'used' }, isKnown: true }
  if (code === 'activations_exhausted') return { did: { kind: 'refused_spent' }, isKnown: true }
  if (code === 'key_revoked') return { did: { kind: 'refused_ended' }, isKnown: true }
  throw new Error(`a use was answered with ${answer.status} ${code}`)
}

const read: Act = async (broker, key) => {
  const answer = await ask(broker, '/v1/keys/self', key)
  if (answer === 'refused' || !answer || answer.status === 503) return 'nothing'
  if (answer.status === 401) return { did: { kind: 'refused_ended' }, isKnown: true }
  if (answer.status !== 200) throw new Error(`a read was answered with ${answer.status}`)
  const { activations } = JSON.parse(answer.body) as SelfAnswer
  return { did: { kind: 'read', used: activations.used }, isKnown: true }
}

const revoke: Act = async (broker, key) => {
  const answer = await ask(broker, `/v1/keys/${key.id}`, key, { method: 'DELETE' })
  if (answer === 'refused') return 'nothing'
  if (answer && answer.status !== 200 && answer.status !== 503)
    throw new Error(`a revocation was answered with ${answer.status}`)
  return { did: { kind: 'revoked' }, isKnown: answer?.status === 200 }
}

/** What clients do, as often as it stands here. */
const ACTS: readonly Act[] = [...Array<Act>(56).fill(use), ...Array<Act>(23).fill(read), revoke]

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** @returns `null` when what came of it is not known, `refused` when nobody was there */
async function ask(
  broker: SpawnedTill,
  path: string,
  { key }: LoadedKey,
  init: RequestInit = {},
): Promise<Answer | null | 'refused'> {
  try {
    const answer = await broker.fetch(path, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(PATIENCE),
    })
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() }
  } catch (error) {
    const { cause } = error as { cause?: NodeJS.ErrnoException }
    return cause?.code === 'ECONNREFUSED' ? 'refused' : null
  }
}

function draw<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)]!
}
