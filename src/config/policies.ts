import type { Issuer } from '#config.ts'
import { matches, type Pattern } from '#domain/pattern.ts'
import {
  DEFAULT_CONCURRENT_REQUESTS,
  DEFAULT_EVENTS,
  DEFAULT_EXPIRES_IN_SECONDS,
  MAX_ACTIVATIONS,
  MAX_LIFE_SECONDS,
  type Policy,
  type PolicyLimits,
} from '#domain/policy.ts'
import type { Provider } from '#domain/provider.ts'
import { formatRoute, type Route } from '#domain/route.ts'
import { scopeText } from '#domain/scope.ts'
import { canonicalRoute } from '#domain/target.ts'
import { MAX_ROUTES, MAX_SCOPE_BYTES, POLICY_NAME } from '#wire/mint.ts'
import { nearest } from './nearest.ts'
import { type Fields, type Reader, whole } from './place.ts'
import { freeRouteOver, type Providers } from './providers.ts'
import { listOf, modelPattern, pattern, route, wholeNumber, word } from './values.ts'

const FIELDS = [
  'name',
  'repository_id',
  'repository_owner_id',
  'claims',
  'providers',
  'activations',
  'expires_in',
  'idle_after',
  'routes',
  'models',
  'limits',
]

/** What of the file policies must agree with. What is `undefined` was refused itself, and nothing is held against it. */
export interface Surroundings {
  readonly providers: Providers | undefined
  readonly issuers: readonly Issuer[] | undefined
  readonly audience: string | undefined
}

/** Reads `policies:`. */
export function policiesFrom(around: Surroundings): Reader<readonly Policy[]> {
  return (at) => {
    const entries = at.entries('a list of policies')
    if (!entries) return undefined
    if (entries.length === 0) return at.refuse('expected at least one policy: without one no job gets a key')
    const names = new Map<string, string>()
    const policies = entries.map((entry) => {
      const fields = entry.fields(FIELDS)
      return fields && readPolicy(fields, names, around)
    })
    return policies.includes(undefined) ? undefined : (policies as Policy[])
  }
}

function readPolicy(fields: Fields, names: Map<string, string>, around: Surroundings): Policy | undefined {
  const known = around.providers
  const providers = fields.need('providers', providersOf(known))
  const narrowed = providers?.flatMap((name) => known?.providers.get(name) ?? []) ?? []
  refuseWithoutId(fields)
  refuseModelsOfBlindProviders(fields, narrowed)
  const repositoryIds = fields.take('repository_id', ids, null)
  const repositoryOwnerIds = fields.take('repository_owner_id', ids, null)
  const activations = fields.need('activations', count)
  const possible = possibleClaims(around, { repository_id: repositoryIds, repository_owner_id: repositoryOwnerIds })
  const policy = whole<Policy>({
    name: fields.need('name', newName(names)),
    repositoryIds,
    repositoryOwnerIds,
    claims: fields.take('claims', claimsAmong(possible), DEFAULT_CLAIMS),
    providers,
    activations,
    expiresInSeconds: fields.take('expires_in', seconds, DEFAULT_EXPIRES_IN_SECONDS),
    idleAfterSeconds: fields.take('idle_after', seconds, null),
    routes: fields.take('routes', routesAt(narrowed), null),
    models: fields.take('models', models, null),
    limits: fields.take('limits', limitsOver(activations), NO_LIMITS),
  })
  if (policy) refuseWideScope(fields, policy, narrowed)
  return policy
}

/** The action would refuse the answer to such a mint, and the job would have lost its one key. */
function refuseWideScope(fields: Fields, { routes, models }: Policy, providers: readonly Provider[]): void {
  const scope = scopeText({
    routes: new Map(
      providers.map((provider) => [
        provider.name,
        (routes ?? provider.routes).map((route) => canonicalRoute(provider, route)),
      ]),
    ),
    models,
  })
  const at = fields.get('routes') ?? fields.get('providers')
  if (scope.routes.length > MAX_ROUTES)
    at?.refuse(`expected at most ${MAX_ROUTES} routes, got ${scope.routes.length}: write some as patterns`)
  const bytes = Buffer.byteLength(JSON.stringify(scope))
  if (bytes > MAX_SCOPE_BYTES)
    at?.refuse(
      `expected routes and models of at most ${MAX_SCOPE_BYTES} bytes together, got ${bytes}: write some as patterns`,
    )
}

/** A policy without an id would let every repository of the issuer in. */
function refuseWithoutId(fields: Fields): void {
  if (fields.get('repository_id') || fields.get('repository_owner_id')) return
  fields.at.refuse('expected repository_id or repository_owner_id: without one the policy holds for every repository')
}

/** A rule that the data plane cannot enforce is refused, not ignored. */
function refuseModelsOfBlindProviders(fields: Fields, providers: readonly Provider[]): void {
  for (const { name, model } of providers)
    if (model === 'none')
      fields.get('models')?.refuse(`requests to "${name}" name no model (model: none), so that none could be checked`)
}

function newName(names: Map<string, string>): Reader<string> {
  const read = word(POLICY_NAME, 'a name of letters, digits, ".", "_" and "-", at most 64')
  return (at) => {
    const name = read(at)
    if (name === undefined) return undefined
    const holder = names.get(name)
    if (holder !== undefined) return at.refuse(`"${name}" is the name of ${holder} already`)
    names.set(name, at.path.replace(/\.name$/, ''))
    return name
  }
}

const ids = listOf(
  word(/^[0-9]{1,20}$/, 'an id: digits in quotes, such as "101"'),
  'an id in quotes or a list of them, such as "101"',
  'alone',
)

/**
 * Claims of GitHub's ID tokens that a policy can compare
 * (docs.github.com, "OpenID Connect reference"). `exp`, `iat` and `nbf` are numbers, and no two tokens share a `jti`.
 */
const CLAIMS = [
  'actor',
  'actor_id',
  'aud',
  'base_ref',
  'check_run_id',
  'enterprise',
  'enterprise_id',
  'environment',
  'environment_node_id',
  'event_name',
  'head_ref',
  'iss',
  'job_workflow_ref',
  'job_workflow_sha',
  'ref',
  'ref_protected',
  'ref_type',
  'repository',
  'repository_id',
  'repository_owner',
  'repository_owner_id',
  'repository_visibility',
  'run_attempt',
  'run_id',
  'run_number',
  'runner_environment',
  'sha',
  'sub',
  'workflow',
  'workflow_ref',
  'workflow_sha',
]
const REPOSITORY_PROPERTY = /^repo_property_[A-Za-z0-9_#$-]{1,75}$/

const DEFAULT_CLAIMS: ReadonlyMap<string, readonly Pattern[]> = new Map([['event_name', DEFAULT_EVENTS]])

/** The values that a claim can have in a token that gets as far as the policy, and what to do about another. */
interface Possible {
  readonly values: readonly string[]
  readonly otherwise: string
}

/** The claims of which more is known than their form. */
function possibleClaims(
  { issuers, audience }: Surroundings,
  ids: Readonly<Record<string, readonly string[] | null | undefined>>,
): ReadonlyMap<string, Possible> {
  const possible = new Map<string, Possible>()
  if (issuers)
    possible.set('iss', {
      values: issuers.map(({ url }) => url),
      otherwise: 'this matches no issuer of the broker: write it as it stands under issuers, or add it there',
    })
  if (audience)
    possible.set('aud', {
      values: [audience],
      otherwise: `only ID tokens for ${audience}, the origin of public_url, are accepted: write that, or leave aud out`,
    })
  for (const [name, values] of Object.entries(ids))
    if (values)
      possible.set(name, {
        values,
        otherwise: `this matches none of the policy's ${name}: make them agree, or leave the claim out`,
      })
  return possible
}

function claimsAmong(possible: ReadonlyMap<string, Possible>): Reader<Policy['claims']> {
  return (at) => {
    const members = at.members('a map of claims, such as ref: refs/heads/main')
    if (!members) return undefined
    const read = new Map(DEFAULT_CLAIMS)
    let isWhole = true
    for (const [name, place] of members) {
      const isKnown = CLAIMS.includes(name) || REPOSITORY_PROPERTY.test(name)
      if (!isKnown) place.refuseName(`GitHub's ID tokens have no such claim to compare${nearest(name, CLAIMS)}`)
      const values = (name === 'event_name' ? events : patternsAmong(possible.get(name)))(place)
      if (isKnown && values) read.set(name, values)
      else isWhole = false
    }
    return isWhole ? read : undefined
  }
}

/** A pattern that could never match is a slip of the pen, and one rule less than its author thinks. */
function patternsAmong(possible: Possible | undefined): Reader<readonly Pattern[]> {
  const read: Reader<Pattern> = (at) => {
    const wanted = pattern(at)
    if (wanted === undefined || !possible || possible.values.some((value) => matches(wanted, value))) return wanted
    return at.refuse(possible.otherwise)
  }
  return listOf(read, 'text or a list of texts', 'alone')
}

/** Events in which an outsider decides what runs have to be named, so that a pattern cannot let them in. */
const events = listOf(
  word(/^[a-z_]{1,64}$/, 'the name of an event, without "*"'),
  'the name of an event or a list of them',
  'alone',
)

function providersOf(known: Providers | undefined): Reader<readonly string[]> {
  return listOf(
    (at) => {
      const name = at.scalar()
      if (typeof name !== 'string') return at.refuse(`expected the name of a provider, got ${at.shown()}`)
      if (!known || known.names.has(name)) return name
      return at.refuse(`there is no provider ${at.shown()} under providers:${nearest(name, known.names)}`)
    },
    'a list of providers',
    'alone',
  )
}

const seconds = wholeNumber(1, MAX_LIFE_SECONDS, ' of seconds')

/** A route that is free at all its providers could not be charged. */
function routesAt(providers: readonly Provider[]): Reader<readonly Route[]> {
  const read: Reader<Route> = (at) => {
    const charged = route(at)
    if (charged && providers.length > 0 && providers.every((provider) => freeRouteOver(provider, charged)))
      at.refuse(`"${formatRoute(charged)}" is a free route, and a route is free or not, never both`)
    return charged
  }
  return listOf(read, 'a list of routes, such as ["POST /v1/responses"]', 'list')
}

const models = listOf(modelPattern, 'a list of models, such as ["gpt-5-mini"]', 'list')

const NO_LIMITS: PolicyLimits = {
  keysPerRun: null,
  activationsPerRun: null,
  activationsPerDay: null,
  concurrentRequests: DEFAULT_CONCURRENT_REQUESTS,
}

/** @param activations those of one job; a limit below them would refuse every key that asks for all of them */
function limitsOver(activations: number | undefined): Reader<PolicyLimits> {
  const budget: Reader<number> = (at) => {
    const limit = count(at)
    if (limit === undefined || activations === undefined || limit >= activations) return limit
    return at.refuse(
      `expected at least ${activations}, the policy's activations, got ${limit}: raise this, or lower activations`,
    )
  }
  return (at) => {
    const fields = at.fields(['keys_per_run', 'activations_per_run', 'activations_per_day', 'concurrent_requests'])
    return (
      fields &&
      whole<PolicyLimits>({
        keysPerRun: fields.take('keys_per_run', wholeNumber(1, MAX_KEYS_PER_RUN), NO_LIMITS.keysPerRun),
        activationsPerRun: fields.take('activations_per_run', budget, NO_LIMITS.activationsPerRun),
        activationsPerDay: fields.take('activations_per_day', budget, NO_LIMITS.activationsPerDay),
        concurrentRequests: fields.take(
          'concurrent_requests',
          wholeNumber(1, MAX_CONCURRENT_REQUESTS),
          NO_LIMITS.concurrentRequests,
        ),
      })
    )
  }
}

const count = wholeNumber(1, MAX_ACTIVATIONS)
const MAX_KEYS_PER_RUN = 1_000_000
const MAX_CONCURRENT_REQUESTS = 10_000
