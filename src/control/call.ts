import type { IncomingHttpHeaders } from 'node:http'
import type { Proof } from '#broker/find-grant.ts'
import type { Ports, WebhookReceiver } from '#broker/ports.ts'
import type { BrokerPart } from '#broker/readiness.ts'
import type { Job } from '#domain/job-identity.ts'
import type { Refusal } from '#domain/refusal.ts'

/** What the control plane is made of, beyond the ports of the verbs. */
export interface ControlOptions extends Ports {
  /** Without a trailing slash: what the URLs in answers begin with. */
  readonly publicUrl: string
  /** What the `aud` of ID tokens has to be. */
  readonly audience: string
  /** Of Till, such as `0.1.0`. */
  readonly version: string
  /** Who writes the comment on the pull request of a job. A process that does not know it asks another. */
  readonly commentBy: (job: Job) => 'broker' | 'action' | Promise<'broker' | 'action'>
  /** Takes what GitHub delivers to the webhook. */
  readonly webhook: WebhookReceiver
  /** Names the part of the broker that is not ready now; `null` when all are. Asked for each `GET /readyz`. */
  readonly unready: () => Promise<BrokerPart | null>
  /** Whether the machine's clock was set back: nothing is minted until it is right. */
  readonly clockIsBehind?: () => boolean
  /** Whether the broker was told to stop: it mints no more, and what takes power away still works. */
  readonly stopping: () => boolean
  /** For tests; the defaults are the contract's. */
  readonly limits?: Partial<ControlLimits>
}

export interface ControlLimits {
  /** Bytes of the body of a mint. */
  readonly bodyBytes: number
  /** Bytes of what GitHub delivers: a `workflow_job` is some 30 KiB. */
  readonly webhookBytes: number
  /** Bytes of bodies that are being read, of all senders together, for each route: nobody has shown who they are yet. */
  readonly heldBytes: number
  /** Bytes of the request target. */
  readonly targetBytes: number
  /** Milliseconds from the head of a request to the end of its body. */
  readonly bodyTime: number
}

/** The contract's, section 9. */
export const CONTROL_LIMITS: ControlLimits = {
  bodyBytes: 16_384,
  webhookBytes: 1_048_576,
  heldBytes: 64 * 1_048_576,
  targetBytes: 4096,
  bodyTime: 30_000,
}

/** One request whose sender has shown what its route asks for. */
export interface Call<P extends Proof | null> {
  readonly control: ControlOptions
  readonly proof: P
  /** From the path; empty where the route has none. */
  readonly id: string
  /** Complete, and empty for methods without one. */
  readonly body: Uint8Array
  readonly idempotencyKey: string | null
  readonly headers: IncomingHttpHeaders
}

/** What a handler found: an answer, or a refusal that becomes one. */
export type Outcome = Answer | Refusal

export interface Answer {
  readonly kind: 'answer'
  readonly status: number
  readonly body: unknown
  readonly contentType: string
}

export function answer(status: number, body: unknown, contentType = 'application/json'): Answer {
  return { kind: 'answer', status, body, contentType }
}
