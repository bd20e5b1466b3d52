import { MAX_ACTIVATIONS, MAX_LIFE_SECONDS } from '#domain/policy.ts'
import { integer, list, nullable, numericDate, object, oneOf, record, type Shape, text } from './shape.ts'

/** `POST /v1/keys`: what a job asks for. */
export interface MintRequest {
  readonly providers: readonly string[]
  readonly policy?: string
  readonly activations?: number
  readonly expires_in?: number
  readonly routes?: readonly string[]
  readonly models?: readonly string[]
}

export const PROVIDER_NAME = /^[a-z][a-z0-9-]{0,39}$/
export const POLICY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const name = text(PROVIDER_NAME, 'a provider name')
const policy = text(POLICY_NAME, 'a policy name')
const route = text(/^[A-Z]{1,10} \/[\x21-\x7e]{0,1023}$/, 'a route such as "POST /v1/responses"')
const model = text(/^[\x21-\x7e]{1,256}$/, 'a model name')

export const mintRequest: Shape<MintRequest> = object(
  { providers: list(name, 1, 32) },
  {
    policy,
    activations: integer(1, MAX_ACTIVATIONS),
    expires_in: integer(1, MAX_LIFE_SECONDS),
    routes: list(route, 1, 256),
    models: list(model, 1, 256),
  },
  'refuse',
)

/** The answer to a mint: 201. */
export interface MintAnswer {
  readonly id: string
  readonly key: string
  readonly policy: string
  readonly providers: Readonly<Record<string, { readonly base_url: string }>>
  readonly activations: number
  readonly expires_at: number
  readonly scope: ScopeAnswer
  readonly comment_by: 'broker' | 'action'
  readonly job: JobAnswer
  /** Present where the issuer does not name the job, so that the budget is the run attempt's. */
  readonly budget_unit?: 'run_attempt'
}

export interface ScopeAnswer {
  readonly routes: readonly string[]
  /** `null`: any model. */
  readonly models: readonly string[] | null
}

export interface JobAnswer {
  readonly repository: string
  readonly repository_id: string
  readonly run_id: string
  readonly run_attempt: string
  readonly check_run_id: string | null
}

/** What an answer may hold of a scope: a policy with more is refused at load, so that no key is minted for nothing. */
export const MAX_ROUTES = 1024
/** Bytes of the scope as JSON. */
export const MAX_SCOPE_BYTES = 32_768

export const keyId = text(/^k_[0-9A-Za-z]{4,40}$/, 'a key id')
export const keyText = text(/^till_[0-9A-Za-z]{20,75}$/, 'a key')
const baseUrl = object({ base_url: text(/^https?:\/\/[\x21-\x7e]{1,500}$/, 'a URL') }, {}, 'ignore')
export const providers = record(PROVIDER_NAME, baseUrl, 32)
export const scope: Shape<ScopeAnswer> = object(
  { routes: list(text(/^[\x20-\x7e]{1,1100}$/, 'a route'), 0, MAX_ROUTES) },
  { models: nullable(list(model, 1, 256)) },
  'ignore',
) as Shape<ScopeAnswer>
const digits = text(/^[0-9]{1,20}$/, 'a number as text')

export const mintAnswer: Shape<MintAnswer> = object(
  {
    id: keyId,
    key: keyText,
    policy,
    providers,
    activations: integer(1, MAX_ACTIVATIONS),
    expires_at: numericDate,
    scope,
    comment_by: oneOf('broker', 'action'),
    job: object(
      {
        repository: text(/^[\x21-\x7e]{1,256}$/, 'a repository name'),
        repository_id: digits,
        run_id: digits,
        run_attempt: digits,
        check_run_id: nullable(digits),
      },
      {},
      'ignore',
    ),
  },
  { budget_unit: oneOf('run_attempt') },
  'ignore',
)
