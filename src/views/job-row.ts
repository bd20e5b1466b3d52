import type { EndReason } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { Receipt } from '#domain/receipt.ts'
import { cut } from './markdown.ts'

/** What a comment shows of one key: the part of its receipt that it needs, with every text cut. */
export interface JobRow {
  readonly key_id: string
  readonly policy: string
  readonly repository: string
  readonly run_id: string
  readonly run_attempt: string
  readonly check_run_id: string | null
  readonly sha: string | null
  /** The workflow's file, such as `review.yml`. */
  readonly workflow: string | null
  readonly limit: number
  readonly used: number
  /** Refusal code → how many requests. */
  readonly refused: Readonly<Record<string, number>>
  readonly minted_at: NumericDate
  readonly expires_at: NumericDate
  readonly ended_at: NumericDate | null
  readonly end_reason: EndReason | null
  /** Those most used, {@link MOST_MODELS} at most. */
  readonly models: readonly string[]
  /** `null` where no provider told. */
  readonly input_tokens: number | null
  readonly output_tokens: number | null
}

export const MOST_MODELS = 3
export const MOST_CODES = 8

export function jobRow(receipt: Receipt): JobRow {
  const { job, activations, usage } = receipt
  return {
    key_id: receipt.key_id,
    policy: cut(receipt.policy, 60),
    repository: job.repository,
    run_id: job.run_id,
    run_attempt: job.run_attempt,
    check_run_id: job.check_run_id,
    sha: job.sha,
    workflow: workflowFile(job.workflow_ref),
    limit: activations.limit,
    used: activations.used,
    refused: Object.fromEntries(mostOf(activations.refused, MOST_CODES)),
    minted_at: receipt.minted_at,
    expires_at: receipt.expires_at,
    ended_at: receipt.ended_at,
    end_reason: receipt.end_reason,
    models: mostOf(receipt.models, MOST_MODELS).map(([model]) => cut(model, 60)),
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
  }
}

function mostOf(counts: Readonly<Record<string, number>>, most: number): [string, number][] {
  return Object.entries(counts)
    .filter(([, times]) => times > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
}

/** `acme/web/.github/workflows/review.yml@refs/heads/main` → `review.yml`. */
function workflowFile(ref: string | null): string | null {
  const file = /^[^@]*\/([^/@]+)@/.exec(ref ?? '')?.[1]
  return file === undefined ? null : cut(file, 60)
}
