import { getInput } from '@actions/core'
import { ProxyUnusable, proxyFor } from '#client/proxy.ts'
import { type MintRequest, mintRequest, PROVIDER_NAME } from '#wire/mint.ts'
import { ShapeError } from '#wire/shape.ts'
import { type AgentName, agentNames, agents } from './agents/agents.ts'
import { printable } from './printable.ts'
import { StepError } from './step-error.ts'
import { variablesOf } from './variables.ts'

/** The inputs of main, all of them checked. */
export interface Inputs {
  /** Its URL in canonical spelling, without a slash at the end. */
  readonly broker: string
  readonly audience: string
  readonly request: MintRequest
  readonly exportEnv: boolean
  readonly agents: readonly AgentName[]
}

/** The inputs of post: what to do with the receipt. */
export interface ReportInputs {
  readonly summary: boolean
  readonly comment: Comment
  readonly failOn: readonly FailOn[]
}

export type Comment = (typeof comments)[number]
export type FailOn = (typeof failOns)[number]

const comments = ['auto', 'always', 'never'] as const
const failOns = ['refused', 'exhausted', 'unrevoked'] as const

/** @throws {StepError} that names every input that is wrong, one a line */
export function readInputs(): Inputs {
  const problems: string[] = []
  const broker = brokerUrl(problems)
  checkProxy(broker, problems)
  const request = mintInputs(problems)
  const inputs = {
    broker,
    audience: audience(broker, problems),
    request,
    exportEnv: flag('export-env', true, problems),
    agents: words('agent', agentNames, problems),
  }
  if (inputs.exportEnv)
    for (const provider of request.providers) if (PROVIDER_NAME.test(provider)) checkVariables(provider, problems)
  for (const name of inputs.agents) checkProvider(name, request.providers, problems)
  reportInputs(problems)
  return orThrow(inputs, problems)
}

/** @throws {StepError} */
export function readReportInputs(): ReportInputs {
  const problems: string[] = []
  return orThrow(reportInputs(problems), problems)
}

function reportInputs(problems: string[]): ReportInputs {
  return {
    summary: flag('summary', true, problems),
    comment: word('comment', comments, 'auto', problems),
    failOn: words('fail-on', failOns, problems),
  }
}

function orThrow<T>(value: T, problems: readonly string[]): T {
  if (problems.length > 0) throw new StepError(problems.join('\n'))
  return value
}

/** What the job asks the broker for: checked here by the same shape as there. */
function mintInputs(problems: string[]): MintRequest {
  const routes = getInput('routes').split('\n')
  const fields = {
    providers: [...new Set(list('provider'))],
    policy: getInput('policy') || undefined,
    activations: whole('activations', getInput('activations'), problems),
    expires_in: seconds(getInput('expires-in'), problems),
    routes: orNone(routes.map((line) => line.trim().replace(/[ \t]+/, ' ')).filter((line) => line !== '')),
    models: orNone(list('models')),
  }
  const asked = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  if (fields.providers.length === 0) problems.push('Input required and not supplied: provider.')
  else checkField('providers', fields.providers, problems)
  // Each alone, so that all that are wrong are named.
  for (const [field, value] of Object.entries(asked)) if (field !== 'providers') checkField(field, value, problems)
  return asked as Partial<MintRequest> & Pick<typeof fields, 'providers'>
}

function checkField(field: string, value: unknown, problems: string[]): void {
  try {
    mintRequest({ providers: ['any'], [field]: value }, '')
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error
    const input = field === 'providers' ? 'provider' : field.replace('_', '-')
    const expected = error.message.slice(error.message.indexOf('expected'))
    problems.push(`Cannot read the input ${input}: ${expected}, got ${quoted(getInput(input))}.`)
  }
}

/** `https:`, or `http:` on a literal loopback address, so that an ID token is never sent in the clear. */
function brokerUrl(problems: string[]): string {
  const given = getInput('broker')
  const refuse = (why: string): string => {
    // What stands before an @ is a user name and a password, or looks like them.
    const shown = given.replace(/^(https?:\/\/)?.*@/is, '$1…@')
    problems.push(`Cannot use the input broker, ${quoted(shown)}: ${why}.`)
    return ''
  }
  if (given === '') {
    problems.push('Input required and not supplied: broker.')
    return ''
  }
  const url = URL.parse(given)
  if (!url || !/^https?:\/\/[\x21-\x7e]+$/i.test(given) || given.includes('\\'))
    return refuse('expected a URL such as https://till.example.com')
  if (/[?#@]/.test(given)) return refuse('expected a URL without user name, query and fragment')
  if (given.includes('%')) return refuse('expected a URL without percent encoding')
  if (url.protocol === 'http:' && !/^http:\/\/(127\.0\.0\.1|\[::1\])([:/]|$)/i.test(given))
    return refuse('expected https:, since http: is for 127.0.0.1 and [::1] alone')
  if (!/^(\/[A-Za-z0-9._~-]+)*\/*$/.test(url.pathname)) return refuse('expected a path of letters, digits and . _ ~ -')
  return url.href.replace(/\/+$/, '')
}

function checkProxy(broker: string, problems: string[]): void {
  try {
    if (broker !== '') proxyFor(new URL(broker))
  } catch (error) {
    if (!(error instanceof ProxyUnusable)) throw error
    problems.push(`Cannot reach the broker through a proxy: ${error.message}.`)
  }
}

/** By default the broker's origin as the user wrote it here. Never what the broker says: it could name another service. */
function audience(broker: string, problems: string[]): string {
  const given = getInput('audience')
  if (given === '') return broker === '' ? '' : new URL(broker).origin
  if (!/^[\x21-\x7e]{1,500}$/.test(given))
    problems.push(
      `Cannot read the input audience: expected up to 500 ASCII characters without spaces, got ${quoted(given)}.`,
    )
  return given
}

function checkVariables(provider: string, problems: string[]): void {
  const variables = variablesOf(provider)
  if ('collides' in variables)
    problems.push(
      `Cannot export variables for the provider ${quoted(provider)}: ${variables.collides} is read by something else. ` +
        'Rename the provider in till.yaml, or set export-env to false and use the outputs.',
    )
}

function checkProvider(agent: AgentName, providers: readonly string[], problems: string[]): void {
  const { needs } = agents[agent]
  if (needs.length > 0 && !needs.some((name) => providers.includes(name)))
    problems.push(`Cannot set up the agent ${agent}: it needs ${needs.join(' or ')} in the input provider.`)
}

function flag(name: string, otherwise: boolean, problems: string[]): boolean {
  const given = getInput(name)
  if (given === '') return otherwise
  if (!/^(true|false)$/i.test(given))
    problems.push(`Cannot read the input ${name}: expected true or false, got ${quoted(given)}.`)
  return given.toLowerCase() === 'true'
}

function words<const T extends string>(name: string, allowed: readonly T[], problems: string[]): T[] {
  const given = [...new Set(list(name))]
  for (const word of given)
    if (!allowed.includes(word as T))
      problems.push(`Cannot read the input ${name}: expected ${allowed.join(', ')}, got ${quoted(word)}.`)
  return given.filter((word): word is T => allowed.includes(word as T))
}

function word<const T extends string>(name: string, allowed: readonly T[], otherwise: T, problems: string[]): T {
  const [first = otherwise, ...more] = words(name, allowed, problems)
  if (more.length > 0)
    problems.push(
      `Cannot read the input ${name}: expected one of ${allowed.join(', ')}, got ${quoted(getInput(name))}.`,
    )
  return first
}

function seconds(given: string, problems: string[]): number | undefined {
  if (given === '') return undefined
  const read = /^([0-9]{1,9})(s|m|h|)$/.exec(given)
  if (read) return Number(read[1]) * SECONDS[read[2]!]!
  problems.push(`Cannot read the input expires-in: expected seconds, or such as 30m or 1h, got ${quoted(given)}.`)
  return undefined
}

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600 }

function whole(name: string, given: string, problems: string[]): number | undefined {
  if (given === '') return undefined
  if (/^[0-9]{1,15}$/.test(given)) return Number(given)
  problems.push(`Cannot read the input ${name}: expected a whole number, got ${quoted(given)}.`)
  return undefined
}

/** Separated by commas, spaces or newlines. */
function list(name: string): string[] {
  return getInput(name)
    .split(/[\s,]+/)
    .filter((word) => word !== '')
}

function orNone<T>(values: readonly T[]): readonly T[] | undefined {
  return values.length === 0 ? undefined : values
}

function quoted(text: string): string {
  return `"${printable(text, 100)}"`
}
