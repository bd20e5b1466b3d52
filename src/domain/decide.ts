import { recordable } from './audit-event.ts'
import type { Job } from './job-identity.ts'
import { covers, matches, type Pattern } from './pattern.ts'
import { DEFAULT_EVENTS, type Policy } from './policy.ts'
import type { Provider } from './provider.ts'
import { formatRoute, type Route, routeCovers } from './route.ts'
import type { Scope } from './scope.ts'
import { canonicalRoute } from './target.ts'

/** What a job asks for when it mints. Everything but the providers is optional and can only narrow the policy. */
export interface Ask {
  readonly providers: readonly string[]
  readonly policy?: string
  readonly activations?: number
  readonly expiresInSeconds?: number
  readonly routes?: readonly Route[]
  readonly models?: readonly Pattern[]
}

/** What a policy gives a job that asked: the terms of the grant to be. */
export interface Terms {
  readonly policy: Policy
  readonly providers: readonly string[]
  readonly scope: Scope
  readonly activations: number
  readonly expiresInSeconds: number
}

/** One check of one policy against one job, for the operator's eyes: it holds the policy's own values. */
export interface CheckResult {
  readonly policy: string
  /** Names the check: `repository_id`, `event_name`, `claims.ref`, `activations`, … */
  readonly check: string
  readonly passed: boolean
  readonly expected: string
  readonly found: string
}

export type Decision =
  | { readonly kind: 'allowed'; readonly terms: Terms; readonly trace: readonly CheckResult[] }
  | {
      readonly kind: 'denied'
      /** For the job: names the claim and the token's own value if a policy names the repository, else says nothing. */
      readonly sentence: string
      readonly trace: readonly CheckResult[]
    }

/**
 * Reads the policies from top to bottom; the first that matches the job and covers what was asked decides.
 *
 * @param providers those of the configuration, by name
 * @returns with every check of every policy up to the one that decides; of the one alone that was asked for by name
 */
export function decide(
  policies: readonly Policy[],
  providers: ReadonlyMap<string, Provider>,
  job: Job,
  ask: Ask,
): Decision {
  const application = { job, ask, asked: [...new Set(ask.providers)], providers }
  const trace: CheckResult[] = []
  let closest: Objection | null = null
  for (const policy of policies) {
    if (ask.policy !== undefined && ask.policy !== policy.name) continue
    let first: Objection | null = null
    for (const [depth, check] of checks.entries())
      for (const { check: name, passed, expected, found, plea } of check(policy, application)) {
        trace.push({ policy: policy.name, check: name, passed, expected, found })
        if (!passed) first ??= { depth, sentence: `policy ${quoted(policy.name)} ${plea}` }
      }
    if (!first) return { kind: 'allowed', terms: terms(policy, application), trace }
    if (namesRepository(policy, job) && (closest === null || first.depth > closest.depth)) closest = first
  }
  return { kind: 'denied', sentence: denial(policies, job, ask, closest), trace }
}

/** A job and what it asks for, as the checks see them. */
interface Application {
  readonly job: Job
  readonly ask: Ask
  /** The providers asked for, each once. */
  readonly asked: readonly string[]
  readonly providers: ReadonlyMap<string, Provider>
}

/** The first objection of a policy; the deeper the check, the closer the policy was to matching. */
interface Objection {
  readonly depth: number
  readonly sentence: string
}

interface Finding extends Omit<CheckResult, 'policy'> {
  /** Goes on from `policy "review" …` when the check fails. Holds values of the job's own, never the policy's. */
  readonly plea: string
}

type Check = (policy: Policy, application: Application) => readonly Finding[]

/** The whole of a policy, in the order it is applied. All must pass. */
const checks: readonly Check[] = [
  repositoryIsListed,
  ownerIsListed,
  claimsMatch,
  providersAreCovered,
  routesAreCovered,
  modelsAreCovered,
  activationsAreWithin,
  lifeIsWithin,
]

function repositoryIsListed({ repositoryIds, repositoryOwnerIds }: Policy, { job }: Application): readonly Finding[] {
  // A policy without any id is refused at load; were one to come through, it would match nothing.
  if (repositoryIds === null && repositoryOwnerIds !== null) return []
  return [claimIsListed('repository_id', repositoryIds ?? [], job.repositoryId)]
}

function ownerIsListed({ repositoryOwnerIds }: Policy, { job }: Application): readonly Finding[] {
  if (repositoryOwnerIds === null) return []
  return [claimIsListed('repository_owner_id', repositoryOwnerIds, job.repositoryOwnerId)]
}

function claimsMatch(policy: Policy, { job }: Application): readonly Finding[] {
  const claims = new Map([['event_name', DEFAULT_EVENTS], ...policy.claims])
  return [...claims].map(([name, patterns]) => {
    const value = Object.hasOwn(job.claims, name) ? job.claims[name]! : null
    return {
      check: name === 'event_name' ? name : `claims.${name}`,
      passed: value !== null && isOneOf(patterns, value),
      expected: patterns.join(', '),
      found: value ?? 'no such claim',
      plea:
        value === null
          ? `needs the claim ${name}, and the ID token has none`
          : `does not allow ${name} ${quoted(value)}`,
    }
  })
}

function providersAreCovered(policy: Policy, { asked, providers }: Application): readonly Finding[] {
  const beyond = asked.filter((name) => !policy.providers.includes(name) || !providers.has(name))
  return [within('providers', beyond, policy.providers, asked)]
}

function routesAreCovered(policy: Policy, { asked, providers, ask }: Application): readonly Finding[] {
  if (ask.routes === undefined) return []
  const held = asked.flatMap((name) => providers.get(name) ?? [])
  const beyond = ask.routes.filter(
    (route) =>
      !held.some((provider) =>
        [...routesOf(policy, provider, providers), ...provider.free].some((wide) =>
          routeCovers(wide, canonicalRoute(provider, route)),
        ),
      ),
  )
  const allowed = new Set(held.flatMap((provider) => routesOf(policy, provider, providers)).map(formatRoute))
  return [within('routes', beyond.map(formatRoute), [...allowed], ask.routes.map(formatRoute))]
}

function modelsAreCovered(policy: Policy, { asked, providers, ask }: Application): readonly Finding[] {
  const wanted = ask.models ?? policy.models
  if (wanted === null) return []
  // Where a provider's requests name no model, a list of models could not be held against them.
  const blind = asked.filter((name) => (providers.get(name)?.model ?? 'none') === 'none')
  if (blind.length > 0)
    return [
      {
        check: 'models',
        passed: false,
        expected: 'providers whose requests name a model',
        found: blind.join(', '),
        plea: `cannot narrow models for ${some(blind)}, whose requests name none: leave models out, or ask without it`,
      },
    ]
  const beyond = wanted.filter((model) => policy.models !== null && !policy.models.some((wide) => covers(wide, model)))
  return [within('models', beyond, policy.models ?? ['any'], wanted)]
}

function activationsAreWithin(policy: Policy, { ask }: Application): readonly Finding[] {
  return numberIsWithin('activations', policy.activations, ask.activations)
}

function lifeIsWithin(policy: Policy, { ask }: Application): readonly Finding[] {
  return numberIsWithin('expires_in', policy.expiresInSeconds, ask.expiresInSeconds)
}

function claimIsListed(name: string, ids: readonly string[], id: string): Finding {
  return {
    check: name,
    passed: ids.includes(id),
    expected: ids.join(', '),
    found: id,
    plea: `does not allow ${name} ${quoted(id)}`,
  }
}

function within(
  field: string,
  beyond: readonly string[],
  allowed: readonly string[],
  asked: readonly string[],
): Finding {
  return {
    check: field,
    passed: beyond.length === 0,
    expected: allowed.join(', '),
    found: asked.join(', '),
    plea: `gives less than ${field} asks for: not ${some(beyond)}. Ask for less, or have the policy widened`,
  }
}

function numberIsWithin(field: string, most: number, asked: number | undefined): readonly Finding[] {
  if (asked === undefined) return []
  return [
    {
      check: field,
      passed: asked <= most,
      expected: `at most ${most}`,
      found: String(asked),
      plea: `gives less than ${field} asks for: not ${asked}. Ask for less, or leave ${field} out to get what it gives`,
    },
  ]
}

/** What a policy that passed every check gives. */
function terms(policy: Policy, { ask, asked, providers }: Application): Terms {
  const routes = new Map<string, readonly Route[]>()
  for (const name of asked) {
    const provider = providers.get(name)!
    const allowed = routesOf(policy, provider, providers)
    const narrowed = ask.routes
      ?.map((route) => canonicalRoute(provider, route))
      .filter((route) => allowed.some((wide) => routeCovers(wide, route)))
    routes.set(name, narrowed ?? allowed)
  }
  return {
    policy,
    providers: asked,
    scope: { routes, models: ask.models ?? policy.models },
    activations: ask.activations ?? policy.activations,
    expiresInSeconds: ask.expiresInSeconds ?? policy.expiresInSeconds,
  }
}

/**
 * What the policy lets a job call at this provider, in the provider's own spelling. A list of routes is for all
 * providers of the policy: what one of them has as its own, word for word, another does not get by respelling, so that
 * the `GET /invoices/*` of a company's API is no `GET /v1/invoices/*` of OpenAI's.
 */
function routesOf(policy: Policy, provider: Provider, providers: ReadonlyMap<string, Provider>): readonly Route[] {
  if (policy.routes === null) return provider.routes.map((route) => canonicalRoute(provider, route))
  const others = policy.providers.flatMap((name) => (name === provider.name ? [] : (providers.get(name) ?? [])))
  return policy.routes.flatMap((route) => {
    const spelled = canonicalRoute(provider, route)
    const isOthers = spelled.path !== route.path && others.some((other) => has(other, route)) && !has(provider, spelled)
    return isOthers ? [] : [spelled]
  })
}

/** Whether the route, as it stands, is one of those that the provider offers. */
function has(provider: Provider, route: Route): boolean {
  return provider.routes.some((own) => routeCovers(own, route))
}

/** Whether the policy is about this repository, so that its reasons may be told to the repository's jobs. */
function namesRepository({ repositoryIds, repositoryOwnerIds, claims }: Policy, job: Job): boolean {
  // Ids are unique within one issuer: at another the same number is a stranger's.
  const issuers = claims.get('iss')
  if (issuers && !isOneOf(issuers, job.issuer)) return false
  return (
    (repositoryIds ?? []).includes(job.repositoryId) ||
    (repositoryIds === null && (repositoryOwnerIds ?? []).includes(job.repositoryOwnerId))
  )
}

/** An outsider learns nothing: not which policies there are, nor what they are called (CVE-2026-105770 of octo-sts). */
function denial(policies: readonly Policy[], job: Job, ask: Ask, closest: Objection | null): string {
  if (closest) return `Cannot mint a key: ${closest.sentence}.`
  if (ask.policy !== undefined && policies.some((policy) => namesRepository(policy, job)))
    return `Cannot mint a key: no policy ${quoted(ask.policy)} names this repository. Ask for another, or leave policy out to get the first that matches.`
  return 'Cannot mint a key: no policy of this broker is about this repository. Ask its operator for one.'
}

const IS_ASCII = /^[\x20-\x7e]*$/

/** Letters that look alike are how names are forged; GitHub's own names are ASCII. */
function isOneOf(patterns: readonly Pattern[], value: string): boolean {
  return IS_ASCII.test(value) && patterns.some((pattern) => matches(pattern, value))
}

function quoted(text: string): string {
  return JSON.stringify(recordable(text))
}

/** The first three, and how many more. */
function some(texts: readonly string[]): string {
  const shown = texts.slice(0, 3).map(quoted).join(', ')
  return texts.length > 3 ? `${shown} and ${texts.length - 3} more` : shown
}
