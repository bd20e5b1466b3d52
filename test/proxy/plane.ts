import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ledger, LogFields, Rules } from '#broker/ports.ts'
import { digest, randomBytes } from '#crypto/digest.ts'
import type { AuditEvent } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import { formatKey, formatKeyId } from '#domain/key.ts'
import type { Provider } from '#domain/provider.ts'
import { type DataPlane, dataPlane } from '#proxy/data-plane.ts'
import type { DataPlaneLimits } from '#proxy/limits.ts'
import { publicListener } from '#proxy/listener.ts'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aGrant, routes } from '#test/domain/subjects.ts'
import { type RawUpstream, startRawUpstream } from '#test/support/raw-upstream.ts'

/** A data plane with a real ledger on a real socket, and a provider of which a test decides every byte. */
export interface PlaneUnderTest {
  readonly port: number
  readonly plane: DataPlane
  readonly ledger: Ledger
  readonly upstream: RawUpstream
  readonly providers: Map<string, Provider>
  readonly credentials: Map<string, string>
  readonly log: readonly { readonly event: string; readonly fields?: LogFields | undefined }[]
  /** Seconds since the epoch; stands still. */
  now: number
  /** A configuration with these providers takes the place of the one before. */
  reload(providers: readonly Provider[]): void
  /** A new key, for providers `api` and `paths`. */
  mint(part?: Partial<Grant>): Promise<MintedKey>
  close(): Promise<void>
}

export interface MintedKey {
  readonly key: string
  readonly grant: Grant
  /** The header that shows it. */
  readonly auth: string
  used(): Promise<number>
  /** The events of its chain once one of the type is there, or at once. */
  events(type?: AuditEvent['type']): Promise<AuditEvent[]>
}

export const CREDENTIAL = 'sk-live-Zq8/xY+3_vB5nM7wK2"pL9'
export const NOW = 1_795_190_400

export async function startPlane(
  options: {
    readonly limits?: Partial<DataPlaneLimits>
    /** Stands between the plane and the ledger, to make it fail. */
    readonly faults?: Partial<Ledger>
  } = {},
): Promise<PlaneUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'till-'))
  const ledger = await openSqliteLedger({ path: join(folder, 'till.db') })
  const upstream = await startRawUpstream()
  const api: Provider = {
    name: 'api',
    origin: upstream.origin,
    header: { name: 'authorization', before: 'Bearer ', after: '' },
    base: '/v1',
    prefix: '/v1',
    routes: routes(
      'POST /v1/responses',
      'GET /v1/items/*',
      'HEAD /v1/items/*',
      'DELETE /v1/items/*',
      'PUT /v1/files/**',
    ),
    free: routes('GET /v1/models'),
    model: 'body',
  }
  const paths: Provider = {
    ...api,
    name: 'paths',
    header: { name: 'x-goog-api-key', before: '', after: '' },
    prefix: null,
    routes: routes('POST /v1beta/models/*'),
    free: [],
    model: 'path',
  }
  const providers = new Map([api, paths].map((provider) => [provider.name, provider]))
  const credentials = new Map([...providers.keys()].map((name) => [name, CREDENTIAL]))
  const log: { event: string; fields?: LogFields | undefined }[] = []
  const write = (event: string, fields?: LogFields) => void log.push({ event, fields })
  const under = {
    ledger,
    upstream,
    providers,
    credentials,
    log,
    now: NOW,
  }
  let rules: Rules = { policies: [], providers }
  const plane = dataPlane({
    ledger: options.faults ? withFaults(ledger, options.faults) : ledger,
    rules: () => rules,
    credentials: { read: (name) => credentials.get(name) ?? null },
    clock: () => under.now,
    random: randomBytes,
    digest,
    log: { info: write, warn: write, error: write },
    ...(options.limits && { limits: options.limits }),
  })
  const control = (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(404).end('control')
  const server = publicListener(plane, control, options.limits?.streamIdle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return Object.assign(under, {
    port: (server.address() as AddressInfo).port,
    plane,
    reload(next: readonly Provider[]) {
      rules = { policies: [], providers: new Map(next.map((provider) => [provider.name, provider])) }
    },
    async mint(part: Partial<Grant> = {}) {
      const key = formatKey(randomBytes(32))
      const number = randomBytes(4).join('')
      const base = aGrant()
      const grant: Grant = {
        ...base,
        id: formatKeyId(randomBytes(16)),
        job: { ...base.job, checkRunId: number, runId: number },
        scope: {
          routes: new Map([...providers.values()].map((provider) => [provider.name, provider.routes])),
          models: null,
        },
        limit: 25,
        mintedAt: under.now,
        expiresAt: under.now + 3600,
        ...part,
      }
      const minted = await ledger.mint({
        grant,
        keyDigest: digest(key),
        token: { issuer: grant.job.issuer, jti: number, repositoryId: '101', expiresAt: under.now + 300 },
        idempotencyKey: null,
        limits: { keysPerRun: null, activationsPerRun: null, activationsPerDay: null, concurrentRequests: 32 },
        now: under.now,
      })
      if (minted.kind !== 'minted') throw new Error(`Cannot mint for the test: ${minted.code}`)
      const events = async () => {
        const all: AuditEvent[] = []
        for await (const { event } of ledger.events(grant.id)) all.push(event)
        return all
      }
      return {
        key,
        grant,
        auth: `authorization: Bearer ${key}`,
        used: async () => (await ledger.state(grant, under.now)).used,
        async events(type?: AuditEvent['type']) {
          let all = await events()
          while (type && !all.some((event) => event.type === type)) {
            await new Promise((resolve) => setImmediate(resolve))
            all = await events()
          }
          return all
        },
      }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await plane.drain(0)
      await upstream.close()
      await ledger.close()
      rmSync(folder, { recursive: true })
    },
  })
}

function withFaults(ledger: Ledger, faults: Partial<Ledger>): Ledger {
  return new Proxy(ledger, {
    get(target, name) {
      const replaced = faults[name as keyof Ledger]
      if (replaced) return replaced
      const value = target[name as keyof Ledger] as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
