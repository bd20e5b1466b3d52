import { variablesOf } from '#action/variables.ts'
import type { CredentialSource } from '#config.ts'
import { presets } from '#domain/presets.ts'
import type { CredentialHeader, Provider } from '#domain/provider.ts'
import { formatRoute, type Route, routeCovers } from '#domain/route.ts'
import { canonicalRoute } from '#domain/target.ts'
import { PROVIDER_NAME } from '#wire/mint.ts'
import { nearest } from './nearest.ts'
import { type Fields, type Place, type Reader, whole } from './place.ts'
import { credentialFault, type SecretSources, secret } from './secret.ts'
import { listOf, oneOf, route, url } from './values.ts'

export interface Providers {
  /** Those that are whole. */
  readonly providers: ReadonlyMap<string, Provider>
  readonly credentials: ReadonlyMap<string, CredentialSource>
  /** All that stand in the file, so that a policy is not blamed for a fault that stands here. */
  readonly names: ReadonlySet<string>
}

const FIELDS = ['origin', 'header', 'credential', 'routes', 'free', 'model']

/** Reads `providers:`. */
export function providersFrom(sources: SecretSources): Reader<Providers> {
  return (at) => {
    const members = at.members('a map of providers, such as openai: { credential: env:OPENAI_API_KEY }')
    if (!members) return undefined
    if (members.size === 0) return at.refuse('expected at least one provider')
    const providers = new Map<string, Provider>()
    const credentials = new Map<string, CredentialSource>()
    for (const [name, place] of members) {
      refuseTakenName(place, name)
      const fields = place.fields(FIELDS)
      const credential = fields?.need('credential', credentialFrom(sources), CREDENTIAL_MISSING)
      const provider = fields && readProvider(fields, name)
      if (!provider || !credential) continue
      providers.set(name, provider)
      credentials.set(name, credential)
    }
    return { providers, credentials, names: new Set(members.keys()) }
  }
}

const CREDENTIAL_MISSING = 'this field is missing: stored, env:NAME or file:PATH'

function credentialFrom(sources: SecretSources): Reader<CredentialSource> {
  const read = secret(sources, 'stored, ')
  return (at) => {
    if (at.scalar() === 'stored') return { kind: 'stored' }
    const value = read(at)
    if (value === undefined) return undefined
    const fault = sources.areRead ? credentialFault(value) : null
    return fault === null ? { kind: 'value', value } : at.refuse(`cannot use this credential: ${fault}`)
  }
}

const ONLY_PRESETS = 'this field is missing; only a preset can do without it'

/** A preset with what the file says otherwise; or one of the operator's own, which has to say everything. */
function readProvider(fields: Fields, name: string): Provider | undefined {
  const preset = presets.get(name)
  const field = <T>(key: string, read: Reader<T>, absent: T | undefined): T | undefined =>
    absent === undefined ? fields.need(key, read, ONLY_PRESETS) : fields.take(key, read, absent)
  const meant = nearest(name, presets.keys())
  if (!preset && meant !== '' && !fields.get('origin')) return fields.at.refuseName(`there is no such preset${meant}`)
  const provider = whole<Provider>({
    name,
    origin: field('origin', origin, preset?.origin),
    header: field('header', header, preset?.header),
    base: preset?.base ?? '',
    prefix: preset?.prefix ?? null,
    routes: field('routes', routes, preset?.routes),
    free: field('free', freeRoutes, preset?.free ?? []),
    model: field('model', oneOf('body', 'none'), preset?.model ?? 'none') as Provider['model'] | undefined,
  })
  if (provider) refuseFreeAndCharged(fields, provider)
  return provider && inItsOwnSpelling(provider)
}

/** `POST /messages` is written as well as `POST /v1/messages`, and the data plane sees the second. */
function inItsOwnSpelling(provider: Provider): Provider {
  const spell = (route: Route) => canonicalRoute(provider, route)
  return { ...provider, routes: provider.routes.map(spell), free: provider.free.map(spell) }
}

function refuseFreeAndCharged(fields: Fields, provider: Provider): void {
  const at = fields.get('routes') ?? fields.get('free') ?? fields.at
  for (const charged of provider.routes) {
    const free = freeRouteOver(provider, charged)
    if (!free) continue
    at.refuse(
      `"${formatRoute(charged)}" is free as well, by "${formatRoute(free)}": a route is free or not, never both`,
    )
  }
}

/** The free route that takes every request of a charged one, which would then never be charged. */
export function freeRouteOver(provider: Provider, charged: Route): Route | undefined {
  const spelled = canonicalRoute(provider, charged)
  return provider.free.find((free) => routeCovers(canonicalRoute(provider, free), spelled))
}

const routes = listOf(route, 'a list of routes, such as ["POST /v1/responses"]', 'list')
const freeRoutes = listOf(route, 'a list of routes, such as ["GET /v1/models"]', 'list', 0)

const origin: Reader<string> = (at) => {
  const read = url(at)
  if (!read) return undefined
  return read.path === '' ? read.origin : at.refuse('expected an origin: scheme, host and port, without a path')
}

const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}): *([\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?)$/
const SLOT = '{credential}'

/** What frames the message, what the broker sets or removes itself, and what must not name a person. */
const TAKEN =
  /^(?:host|connection|content-.*|transfer-encoding|te|trailer|upgrade|keep-alive|expect|proxy-.*|accept-encoding|date|via|forwarded|x-forwarded-.*|cookie2?|set-cookie2?|till-.*|x-http-method.*|x-method-override)$/

/** `NAME: VALUE` with `{credential}` in the value. Never shown: someone may have put the credential there. */
const header: Reader<CredentialHeader> = (at) => {
  const expected = '"NAME: VALUE" with {credential} in the value, such as "authorization: Bearer {credential}"'
  const text = at.text(`${expected}; write it in quotes`)
  if (text === undefined) return undefined
  const [, name, value] = HEADER.exec(text) ?? []
  if (name === undefined || value === undefined) return at.refuse(`expected ${expected}`)
  const [before, after, more] = value.split(SLOT)
  if (before === undefined || after === undefined || more !== undefined)
    return at.refuse(`expected {credential} exactly once in the value, such as "authorization: Bearer {credential}"`)
  if (TAKEN.test(name.toLowerCase()))
    return at.refuse('no credential can stand in this header; the broker sets it itself')
  return { name: name.toLowerCase(), before, after }
}

/** Names become variables of the job (`BILLING_API_KEY`), where others must not stand already. */
function refuseTakenName(at: Place, name: string): void {
  if (!PROVIDER_NAME.test(name)) {
    at.refuseName('expected a name of small letters, digits and "-", at most 40, beginning with a letter')
    return
  }
  const variables = variablesOf(name)
  if ('collides' in variables)
    at.refuseName(`choose another name: in a job something else reads the variable ${variables.collides}`)
}
