import { jobRecord, recordable } from '#domain/audit-event.ts'
import { type Ask, type CheckResult, decide, type Terms } from '#domain/decide.ts'
import type { Grant } from '#domain/grant.ts'
import { type BudgetUnit, budgetUnit } from '#domain/job-identity.ts'
import { base62, formatKey, formatKeyId, KEY_BYTES } from '#domain/key.ts'
import { type Refusal, type RefusalCode, refusal } from '#domain/refusal.ts'
import type { IdentifiedJob } from './identify-job.ts'
import type { MintOutcome, Ports } from './ports.ts'

/** A key that was made a moment ago. Its text is here and nowhere else: the ledger keeps the digest. */
export interface MintedKey {
  readonly kind: 'minted'
  readonly key: string
  readonly grant: Grant
  readonly unit: BudgetUnit
}

/**
 * Gives a job the key it asks for, if a policy allows it, once. Consumes the ID token, unless the answer is
 * `credential_missing`. The grant, or the refusal, and the token's use are on disk when this resolves.
 *
 * @param idempotencyKey lets the same job repeat this when the answer was lost: while nothing is spent, the new key
 *   replaces the old one
 */
export async function mint(
  broker: Omit<Ports, 'verifier' | 'signer'>,
  caller: IdentifiedJob,
  ask: Ask,
  idempotencyKey: string | null,
): Promise<MintedKey | Refusal> {
  const { policies, providers } = broker.rules()
  const decision = decide(policies, providers, caller.job, ask)
  if (decision.kind === 'denied') return deny(broker, caller, decision.sentence, decision.trace)
  const { terms } = decision

  const unready = terms.providers.find((provider) => broker.credentials.read(provider) === null)
  if (unready !== undefined)
    return refuseOnRecord(broker, caller, credentialMissing(unready), {
      policy: terms.policy.name,
      check: 'credential',
      expected: `a credential for provider "${unready}"`,
      found: 'none',
    })

  const key = formatKey(broker.random(KEY_BYTES))
  const now = broker.clock()
  const grant = grantOn(terms, caller, formatKeyId(broker.random(16)), now)
  const outcome = await broker.ledger.mint({
    grant,
    keyDigest: broker.digest(key),
    token: caller.token,
    idempotencyKey,
    limits: terms.policy.limits,
    now,
  })
  if (outcome.kind === 'refused') {
    broker.log.warn('mint.refused', {
      code: outcome.code,
      repository_id: caller.job.repositoryId,
      policy: grant.policy,
    })
    return refusedByLedger(outcome, grant)
  }
  broker.log.info('key.minted', {
    key_id: grant.id,
    repository_id: caller.job.repositoryId,
    policy: grant.policy,
    limit: grant.limit,
  })
  return { kind: 'minted', key, grant, unit: budgetUnit(caller.job) }
}

/** To the fraction of a second: rounded, a key of two seconds would live for one. */
function grantOn(terms: Terms, caller: IdentifiedJob, id: string, now: number): Grant {
  return {
    id,
    policy: terms.policy.name,
    job: caller.job,
    scope: terms.scope,
    limit: terms.activations,
    mintedAt: now,
    expiresAt: now + terms.expiresInSeconds,
    idleAfterSeconds: terms.policy.idleAfterSeconds,
    concurrentRequests: terms.policy.limits.concurrentRequests,
  }
}

type Recorder = Pick<Ports, 'ledger' | 'clock' | 'random' | 'log'>

/** Records the denial under an id that the operator can look up, and tells the job no more than the decision lets it. */
async function deny(
  broker: Recorder,
  caller: IdentifiedJob,
  sentence: string,
  trace: readonly CheckResult[],
): Promise<Refusal> {
  const denyId = await recordRefusal(broker, caller, 'policy_denied', recordedChecks(trace))
  if (typeof denyId !== 'string') return denyId
  const remedy = `The operator sees the whole decision with \`till policy explain ${denyId}\``
  return refusal('policy_denied', `${sentence} ${remedy}.`)
}

/** Nothing is minted for what cannot be read. The job is told what was wrong; on record is nothing of its body. */
export function refuseAsk(broker: Recorder, caller: IdentifiedJob, refused: Refusal): Promise<Refusal> {
  const [expected, found] = ['a request as the API has it', 'another']
  return refuseOnRecord(broker, caller, refused, { policy: '*', check: 'request', expected, found })
}

/** No life can be measured by a clock that was set back, so that nothing is minted (SECURITY, T35). Is on record too. */
export async function refuseByClock(broker: Recorder, caller: IdentifiedJob): Promise<Refusal> {
  const [expected, found] = ['a clock that runs forward', 'one that was set back']
  return refuseOnRecord(broker, caller, CLOCK_IS_BEHIND, { policy: '*', check: 'clock', expected, found })
}

/** @returns `refused`, unless the token is not worth a record */
async function refuseOnRecord(
  broker: Recorder,
  caller: IdentifiedJob,
  refused: Refusal,
  check: Omit<CheckResult, 'passed'>,
): Promise<Refusal> {
  const recorded = await recordRefusal(broker, caller, refused.code, [{ ...check, passed: false }])
  return typeof recorded === 'string' ? refused : recorded
}

export const CLOCK_IS_BEHIND = refusal(
  'not_ready',
  'Cannot mint a key: the clock of the broker was set back. Its operator finds by how much in the log, and sets the clock right or starts the broker again.',
)

/** Refusals after which the same ID token may be sent again, while it is fresh. */
const MAY_BE_SENT_AGAIN: ReadonlySet<RefusalCode> = new Set(['request_invalid', 'credential_missing'])

/** @returns the id under which it stands on record; or why the token is not worth a record */
async function recordRefusal(
  broker: Recorder,
  caller: IdentifiedJob,
  code: RefusalCode,
  considered: readonly CheckResult[],
): Promise<string | Refusal> {
  const denyId = `d_${base62(broker.random(8), 11)}`
  const recorded = await broker.ledger.refuseMint({
    token: caller.token,
    mayBeSentAgain: MAY_BE_SENT_AGAIN.has(code),
    fact: { type: 'mint.refused', deny_id: denyId, code, job: jobRecord(caller.job), considered },
    now: broker.clock(),
  })
  if (recorded === 'token_replayed') return TOKEN_REPLAYED
  if (recorded === 'limit_exceeded') return limitExceeded('mints_per_minute')
  broker.log.warn('mint.refused', { code, deny_id: denyId, repository_id: caller.job.repositoryId })
  return denyId
}

/** Rows of one event; a broker of many teams has many policies. */
const MOST_CHECKS = 200

/** Every check of the policies that are about the repository; of the others, that they are not. */
function recordedChecks(trace: readonly CheckResult[]): CheckResult[] {
  const isId = ({ check }: CheckResult) => check === 'repository_id' || check === 'repository_owner_id'
  const foreign = new Set(trace.filter((result) => isId(result) && !result.passed).map(({ policy }) => policy))
  return trace
    .filter((result) => !foreign.has(result.policy) || (isId(result) && !result.passed))
    .sort((a, b) => Number(foreign.has(a.policy)) - Number(foreign.has(b.policy)))
    .slice(0, MOST_CHECKS)
    .map((result) => ({ ...result, expected: recordable(result.expected), found: recordable(result.found) }))
}

const TOKEN_REPLAYED = refusal(
  'token_replayed',
  'Cannot mint a key: this ID token was used before, and each is good for one mint. Request a fresh one.',
)

function credentialMissing(provider: string): Refusal {
  return refusal(
    'credential_missing',
    `Cannot mint a key: the broker holds no credential for provider "${provider}". ` +
      `Its operator sets one with \`till credential set ${provider}\`; the same ID token may be sent again then.`,
  )
}

type Limit = NonNullable<Extract<MintOutcome, { kind: 'refused' }>['limit']>

interface LimitText {
  readonly what: string
  readonly remedy: string
  readonly retryAfter?: number
}

const FEWER = 'Ask for fewer activations, or raise the limit.'
const LIMITS: Readonly<Record<Limit, LimitText>> = {
  keys_per_run: {
    what: 'this workflow run has all the keys that the policy gives to one run (limits.keys_per_run)',
    remedy: 'Mint in fewer jobs of the run, or raise the limit.',
  },
  activations_per_run: {
    what: 'what is asked for, with what this workflow run was granted, passes limits.activations_per_run of the policy',
    remedy: FEWER,
  },
  activations_per_day: {
    what: 'what is asked for, with what was granted today (UTC), passes limits.activations_per_day of the policy',
    remedy: FEWER,
  },
  mints_per_minute: {
    what: 'this repository has asked for more than 60 keys within a minute',
    remedy: 'Wait a minute.',
    retryAfter: 60,
  },
}

function limitExceeded(limit: Limit, explained = ''): Refusal {
  const { what, remedy, retryAfter } = LIMITS[limit]
  const more = retryAfter === undefined ? explained : ''
  return refusal('limit_exceeded', `Cannot mint a key: ${what}. ${remedy}${more}`, retryAfter)
}

function refusedByLedger(outcome: Extract<MintOutcome, { kind: 'refused' }>, grant: Grant): Refusal {
  const unit = budgetUnit(grant.job) === 'job' ? 'job' : 'attempt of the run'
  // The ledger has recorded it under the id that the grant would have had.
  const explained = ` The operator sees more with \`till policy explain d_${grant.id.slice(2)}\`.`
  const answers: Readonly<Record<typeof outcome.code, () => Refusal>> = {
    token_replayed: () => TOKEN_REPLAYED,
    already_minted: () =>
      refusal(
        'already_minted',
        `Cannot mint a key: this ${unit} already has, or had, its key under policy "${grant.policy}", and it gets one. ` +
          'Use the outputs of the step that minted it; if no step of yours did, another one in this job took it.' +
          explained,
      ),
    job_ended: () => refusal('job_ended', 'Cannot mint a key: this job is over, so it needs none.'),
    limit_exceeded: () => limitExceeded(outcome.limit ?? 'keys_per_run', explained),
  }
  return answers[outcome.code]()
}
