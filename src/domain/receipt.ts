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
  /** Model → activations, for requests that named one. */
  readonly models: Readonly<Record<string, number>>
  /** `null` where no provider told. */
  readonly usage: { readonly input_tokens: number | null; readonly output_tokens: number | null }
  readonly audit: { readonly events: number; readonly head: string }
}

/**
 * Adds the events of one chain up, in order, starting with `key.minted`. A fold, so that a long chain needs no memory.
 *
 * @returns a function that takes each event, and one that gives the receipt
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
          if (event.model !== null) models.set(event.model, (models.get(event.model) ?? 0) + 1)
          const key = `${event.provider} ${event.route}`
          const row = routes.get(key) ?? { provider: event.provider, route: event.route, activations: 0 }
          row.activations++
          routes.set(key, row)
          break
        }
        case 'activation.given_back':
          used--
          givenBack++
          break
        case 'request.refused':
          refused.set(event.code, (refused.get(event.code) ?? 0) + event.count)
          break
        case 'request.finished':
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
        routes: [...routes.values()].sort((a, b) => b.activations - a.activations),
        models: Object.fromEntries(models),
        usage: { input_tokens: inputTokens, output_tokens: outputTokens },
        audit: { events, head },
      }
    },
  }
}
