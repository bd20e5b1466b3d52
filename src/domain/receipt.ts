import type { AuditEvent, JobRecord } from './audit-event.ts'
import type { EndReason } from './grant.ts'
import type { NumericDate } from './numeric-date.ts'

/** The account of a grant: what was spent, refused, and how it ended. Signed as a JWS by the broker. */
export interface Receipt {
  readonly key_id: string
  readonly policy: string
  readonly job: JobRecord
  readonly providers: readonly string[]
  readonly activations: {
    readonly limit: number
    readonly used: number
    readonly given_back: number
    /** Refusal code → how many requests. */
    readonly refused: Readonly<Record<string, number>>
  }
  readonly minted_at: NumericDate
  readonly expires_at: NumericDate
  readonly first_used_at: NumericDate | null
  readonly last_used_at: NumericDate | null
  /** `null` while the key lives. */
  readonly ended_at: NumericDate | null
  readonly end_reason: EndReason | null
  /** The routes that were used, most used first. */
  readonly routes: readonly { readonly provider: string; readonly route: string; readonly activations: number }[]
  /** Model → activations, for requests that named one. What came after the first 200 is counted under `*`. */
  readonly models: Readonly<Record<string, number>>
  /** `null` where no provider told. */
  readonly usage: { readonly input_tokens: number | null; readonly output_tokens: number | null }
  readonly audit: { readonly events: number; readonly head: string }
}

/** A job may name as many models as it has activations; its receipt stays one that can be sent and shown. */
export const MOST_MODELS = 200

/**
 * Adds the events of one chain up, in order, starting with `key.minted`. A fold: a long chain needs no more memory than
 * its requests that are open.
 *
 * @returns a function that takes each event with its hash in hex, and one that gives the receipt of those so far
 * @throws {Error} when a receipt is asked for and no `key.minted` came
 */
export function receiptOf(): { add(event: AuditEvent, hash: string): void; receipt(): Receipt } {
  let minted: Extract<AuditEvent, { type: 'key.minted' }> | null = null
  let used = 0
  let givenBack = 0
  let firstUsedAt: NumericDate | null = null
  let lastUsedAt: NumericDate | null = null
  let endedAt: NumericDate | null = null
  let reason: EndReason | null = null
  let inputTokens: number | null = null
  let outputTokens: number | null = null
  let events = 0
  let head = ''
  const refused = new Map<string, number>()
  const models = new Map<string, number>()
  /** What the requests that have not finished were counted under, in case their activation is given back. */
  const open = new Map<string, { model: string | null; row: { activations: number } }>()
  const routes = new Map<string, { provider: string; route: string; activations: number }>()

  return {
    add(event, hash) {
      events++
      head = hash
      switch (event.type) {
        case 'key.minted':
          minted = event
          break
        case 'activation': {
          used++
          firstUsedAt ??= event.at
          lastUsedAt = event.at
          const model = event.model === null || models.has(event.model) || models.size < MOST_MODELS ? event.model : '*'
          if (model !== null) models.set(model, (models.get(model) ?? 0) + 1)
          const key = `${event.provider} ${event.route}`
          const row = routes.get(key) ?? { provider: event.provider, route: event.route, activations: 0 }
          row.activations++
          routes.set(key, row)
          open.set(event.request_id, { model, row })
          break
        }
        case 'activation.given_back': {
          used--
          givenBack++
          const counted = open.get(event.request_id)
          if (counted) counted.row.activations--
          if (counted?.model != null) models.set(counted.model, models.get(counted.model)! - 1)
          open.delete(event.request_id)
          break
        }
        case 'request.refused':
          refused.set(event.code, (refused.get(event.code) ?? 0) + event.count)
          break
        case 'request.finished':
          open.delete(event.request_id)
          if (event.input_tokens !== null) inputTokens = (inputTokens ?? 0) + event.input_tokens
          if (event.output_tokens !== null) outputTokens = (outputTokens ?? 0) + event.output_tokens
          break
        case 'key.ended':
          endedAt = event.at
          reason = event.reason
          break
        default:
          break
      }
    },
    receipt() {
      if (!minted) throw new Error('Cannot write a receipt: the chain does not begin with key.minted')
      return {
        key_id: minted.chain,
        policy: minted.policy,
        job: minted.job,
        providers: minted.providers,
        activations: { limit: minted.limit, used, given_back: givenBack, refused: Object.fromEntries(refused) },
        minted_at: minted.at,
        expires_at: minted.expires_at,
        first_used_at: firstUsedAt,
        last_used_at: lastUsedAt,
        ended_at: endedAt,
        end_reason: reason,
        routes: [...routes.values()]
          .filter((row) => row.activations > 0)
          .map((row) => ({ ...row }))
          .sort((a, b) => b.activations - a.activations),
        models: Object.fromEntries([...models].filter(([, activations]) => activations > 0)),
        usage: { input_tokens: inputTokens, output_tokens: outputTokens },
        audit: { events, head },
      }
    },
  }
}
