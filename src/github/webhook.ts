import { createHmac, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock, Ledger, Log, WebhookDelivery, WebhookReceiver } from '#broker/ports.ts'
import { type JobName, jobKey } from '#domain/job-identity.ts'
import { refusal } from '#domain/refusal.ts'
import { issuersOf } from './issuers.ts'
import { type EndedJob, endedJob, otherJob } from './workflow-job.ts'

export interface WebhookOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly log: Log
  /** As it is configured now; `null`: this broker takes no webhooks. */
  readonly settings: () => { readonly webhookSecret: string | null; readonly apiUrl: string } | null
  readonly issuers: () => readonly { readonly url: string; readonly checkRunId: 'required' | 'optional' }[]
  /** Whether all jobs of a run attempt are over, where GitHub can be asked; `null`: it cannot. */
  readonly attemptIsOver: (job: EndedJob) => Promise<boolean | null>
}

/** Deliveries that are remembered, so that each acts once. An ending that is repeated would change nothing anyway. */
const KNOWN_DELIVERIES = 10_000
/** Of a delivery: GitHub's has 36 characters. One that is longer is not remembered. */
const LONGEST_ID = 100
/** Run attempts whose jobs are remembered, for servers whose tokens name no check run. */
const KNOWN_ATTEMPTS = 10_000
/** Whoever sends forgeries does not fill the log: one line in that many seconds. */
const REFUSALS_LOGGED_EVERY = 60
/** More living keys than one broker has. */
const MOST_LIVING = 10_000

/**
 * Ends the keys of jobs that GitHub says are over. Nothing of a delivery is looked at before its signature is known to be
 * GitHub's; and all that a delivery can do is to end keys.
 */
export function webhook(options: WebhookOptions): WebhookReceiver {
  const { ledger, clock, log, settings, issuers } = options
  const known = new LRUCache<string, true>({ max: KNOWN_DELIVERIES })
  /** By run attempt: each job that was told of, and whether it is over. */
  const jobs = new LRUCache<string, Map<string, boolean>>({ max: KNOWN_ATTEMPTS })

  let refusalLoggedAt = Number.NEGATIVE_INFINITY
  function logForgery(): void {
    if (Math.abs(clock() - refusalLoggedAt) < REFUSALS_LOGGED_EVERY) return
    refusalLoggedAt = clock()
    log.warn('webhook.refused', { code: 'signature_invalid' })
  }

  /** Deliveries come in any order: a job that is over stays so, whatever is said of it later. */
  function note(job: EndedJob, isOver: boolean): void {
    const known = jobs.get(attemptOf(job)) ?? new Map<string, boolean>()
    jobs.set(attemptOf(job), known.set(job.jobId, isOver || known.get(job.jobId) === true))
  }

  async function act(ended: EndedJob, apiUrl: string): Promise<void> {
    for (const { url: issuer, checkRunId } of issuersOf(apiUrl, issuers())) {
      const { repositoryId, runId, runAttempt } = ended
      const job: JobName = { issuer, repositoryId, runId, runAttempt, checkRunId: ended.checkRunId }
      told(ended, await ledger.endJob(job, clock()))
      if (checkRunId === 'optional') await actOnAttempt(ended, { ...job, checkRunId: null })
    }
  }

  /**
   * Where tokens name no check run the key belongs to all jobs of the run attempt, and ends with the last of them. If
   * GitHub cannot be asked, the last is the one after which no other is known to be open: then a key that is there ends,
   * and one may still be minted by a job that was waiting for this one.
   */
  async function actOnAttempt(ended: EndedJob, attempt: JobName): Promise<void> {
    const isOver = await options.attemptIsOver(ended)
    if (isOver === true) told(ended, await ledger.endJob(attempt, clock()))
    if (isOver !== null || [...(jobs.get(attemptOf(ended))?.values() ?? [])].includes(false)) return
    const living = await ledger.list({ alive: true, now: clock(), most: MOST_LIVING })
    const keys = living.map(({ grant }) => grant).filter(({ job }) => jobKey(job) === jobKey(attempt))
    for (const grant of keys) await ledger.end(grant, 'job_completed', clock())
    told(
      ended,
      keys.map(({ id }) => id),
    )
  }

  function told({ repositoryId }: EndedJob, keys: readonly string[]): void {
    if (keys.length > 0) log.info('job.ended', { repository_id: repositoryId, keys: keys.length, reason: 'webhook' })
  }

  return async (delivery) => {
    const configured = settings()
    if (configured?.webhookSecret == null) return NO_WEBHOOK
    if (!isSigned(delivery, configured.webhookSecret)) {
      logForgery()
      return NOT_SIGNED
    }
    const { id, event } = delivery
    // Without an id it acts each time: ending what has ended changes nothing.
    const isNamed = id !== null && id.length <= LONGEST_ID
    if (isNamed && known.has(id)) return null
    if (event === 'workflow_job') {
      const payload = parse(delivery)
      const ended = endedJob(payload)
      if (ended === 'malformed') log.warn('webhook.unreadable', { reason: payload === undefined ? 'json' : 'ids' })
      else if (ended) {
        note(ended, true)
        await act(ended, configured.apiUrl)
      }
      const other = otherJob(payload)
      if (other) note(other, false)
    }
    // Only now: a delivery that failed may be sent again, under the same id.
    if (isNamed) known.set(id, true)
    return null
  }
}

function attemptOf({ repositoryId, runId, runAttempt }: EndedJob): string {
  return `${repositoryId} ${runId} ${runAttempt}`
}

function isSigned({ signature, body }: WebhookDelivery, secret: string): boolean {
  const hex = /^sha256=([0-9a-f]{64})$/.exec(signature ?? '')?.[1]
  if (hex === undefined) return false
  return timingSafeEqual(Buffer.from(hex, 'hex'), createHmac('sha256', secret).update(body).digest())
}

/** A webhook may be set to send its JSON as a form; the signature is over what was sent. */
function parse({ contentType, body }: WebhookDelivery): unknown {
  const text = Buffer.from(body).toString('utf8')
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(contentType ?? '')
  try {
    return JSON.parse(isForm ? (new URLSearchParams(text).get('payload') ?? '') : text)
  } catch {
    return undefined
  }
}

const NO_WEBHOOK = refusal(
  'not_found',
  'This broker takes no webhooks: it has no secret for them (github.webhook_secret).',
)
const NOT_SIGNED = refusal(
  'signature_invalid',
  'Cannot take the delivery: X-Hub-Signature-256 is not that of this body under the secret of this broker.',
)
