import type { LivingKey } from '#broker/describe-key.ts'
import type { MintedKey } from '#broker/mint.ts'
import type { SignedReceipt } from '#broker/read-receipt.ts'
import { jobRecord } from '#domain/audit-event.ts'
import type { Grant } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import { scopeText } from '#domain/scope.ts'
import type { MintAnswer } from '#wire/mint.ts'
import type { ReceiptAnswer } from '#wire/receipt.ts'
import type { SelfAnswer } from '#wire/self.ts'
import type { ControlOptions } from './call.ts'

export async function mintAnswer(control: ControlOptions, { grant, key, unit }: MintedKey): Promise<MintAnswer> {
  const { repository, repository_id, run_id, run_attempt, check_run_id } = jobRecord(grant.job)
  return {
    id: grant.id,
    key,
    policy: grant.policy,
    providers: baseUrls(control, grant),
    activations: grant.limit,
    expires_at: wholeSeconds(grant.expiresAt),
    scope: scopeText(grant.scope),
    comment_by: await control.commentBy(grant.job),
    job: { repository, repository_id, run_id, run_attempt, check_run_id },
    ...(unit === 'run_attempt' && { budget_unit: unit }),
  }
}

export function selfAnswer(control: ControlOptions, { grant, state }: LivingKey): SelfAnswer {
  return {
    id: grant.id,
    policy: grant.policy,
    state: 'active',
    activations: { limit: grant.limit, used: state.used, remaining: grant.limit - state.used },
    expires_at: wholeSeconds(grant.expiresAt),
    scope: scopeText(grant.scope),
    providers: baseUrls(control, grant),
  }
}

export async function receiptAnswer(
  control: ControlOptions,
  { receipt, jws, grant }: SignedReceipt,
): Promise<ReceiptAnswer> {
  return { receipt, jws, comment_by: await control.commentBy(grant.job) }
}

/** Rounded down: nobody is promised more time than there is. */
function wholeSeconds(at: NumericDate): NumericDate {
  return Math.floor(at)
}

/** What each provider's main SDK expects as its base URL. A provider that the configuration lost has none. */
function baseUrls(control: ControlOptions, grant: Grant): MintAnswer['providers'] {
  const { providers } = control.rules()
  const urls: Record<string, { base_url: string }> = {}
  for (const name of grant.scope.routes.keys()) {
    const provider = providers.get(name)
    if (provider) urls[name] = { base_url: `${control.publicUrl}/proxy/${name}${provider.base}` }
  }
  return urls
}
