import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { WrongUse } from '#cli/failure.ts'
import { ReaderGone, watchReader, writeOut } from '#cli/standard-output.ts'
import { columns, instant } from '#cli/text.ts'
import { withLedger } from '#cli/with-ledger.ts'
import type { AuditEvent } from '#domain/audit-event.ts'

interface TailOptions {
  readonly lines: string
  readonly json?: boolean
}

/** How often to look for new events. Milliseconds. */
const POLL = 500
const PAGE = 1000

/** Goes on until it is interrupted, or its reader goes. */
export async function auditTail({ lines, json }: TailOptions, command: Command): Promise<void> {
  if (!/^[0-9]{1,4}$/.test(lines)) throw new WrongUse('Cannot show that many: -n takes a number from 0 to 9999.')
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  const stopped = once(stopping.signal, 'abort')
  const endWatch = watchReader(() => stopping.abort(new ReaderGone()))

  await withLedger(command, async ({ ledger }) => {
    // At least one is read, to know from where to go on.
    const last = await ledger.newEvents(null, Math.max(1, Number(lines)))
    let position = last.at(-1)?.position ?? 0
    let events = Number(lines) === 0 ? [] : last
    for (;;) {
      const shown = events.map(({ text }) => `${json ? text : line(JSON.parse(text) as AuditEvent)}\n`)
      if (shown.length > 0) await Promise.race([writeOut(shown.join('')), stopped])
      if (events.length < PAGE) await sleep(POLL, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
      events = await ledger.newEvents(position, PAGE)
      position = events.at(-1)?.position ?? position
    }
  }).finally(endWatch)
  if (stopping.signal.reason instanceof ReaderGone) throw stopping.signal.reason
}

/** Such as `2026-11-20 14:03:07Z  k_…  activation  POST /v1/responses gpt-5-mini, the 3rd`. */
function line(event: AuditEvent): string {
  return columns([[instant(event.at), event.chain.padEnd(24), event.type.padEnd(20), details(event)]])
}

function details(event: AuditEvent): string {
  switch (event.type) {
    case 'key.minted':
      return `${event.limit} for ${event.job.repository}, policy ${event.policy}`
    case 'mint.refused':
      return `${event.code} for ${event.job.repository}, ${event.deny_id}`
    case 'activation':
      return words(`#${event.used}`, event.provider, event.route, event.model)
    case 'request.refused':
      return words(event.code, event.provider, event.route, event.model, event.count > 1 ? `× ${event.count}` : null)
    case 'request.finished':
      return words(event.outcome, event.status, event.provider, event.route, `${Math.round(event.milliseconds)} ms`)
    case 'activation.given_back':
    case 'key.ended':
      return event.reason
    case 'operator.revoke':
      return event.operator
    case 'operator.set_credential':
    case 'operator.rotate_credential':
      return words(event.operator, event.provider)
    case 'operator.forget':
      return words(event.operator, event.key, `${event.events} events`)
    default:
      return ''
  }
}

function words(...parts: readonly (string | number | null)[]): string {
  return parts.filter((part) => part !== null).join(' ')
}
