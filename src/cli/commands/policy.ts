import { Command, InvalidArgumentError } from 'commander'
import { checksText } from '#cli/checks-text.ts'
import { explain } from '#cli/commands/policy-explain.ts'
import { loadConfig } from '#cli/config-file.ts'
import { Failure } from '#cli/failure.ts'
import { readText } from '#cli/jwk-set.ts'
import { readStdin } from '#cli/read-stdin.ts'
import { writeOut } from '#cli/standard-output.ts'
import type { Config } from '#config.ts'
import { type Ask, type CheckResult, decide, type Terms } from '#domain/decide.ts'
import { type Claims, type Job, jobIdentity } from '#domain/job-identity.ts'
import { scopeText } from '#domain/scope.ts'

/** `till policy test|explain`: what the policies say of a job, without a key; what they said of one that was refused. */
export function policyCommand(): Command {
  const policy = new Command('policy').description('try policies, and explain what they refused')
  policy
    .command('test')
    .description("what the policies give to a job with these claims, and every check's reason")
    .requiredOption('--claims <file>', 'claims as JSON, or an ID token (not verified); - for standard input')
    .option('--policy <name>', 'only this one, as a job asks for it by name')
    .option('--providers <names>', "what the job asks for, separated by commas (default: all of each policy's)", words)
    .option('--activations <number>', 'what the job asks for', wholeNumber)
    .option('--expires-in <seconds>', 'what the job asks for', wholeNumber)
    .option('--json', 'print JSON')
    .action((options: TestOptions, command: Command) =>
      test(loadConfig(command.optsWithGlobals()['config'], 'none'), options),
    )
  policy
    .command('explain')
    .description('every check of a mint that was refused, as it was decided')
    .argument('<deny-id>', 'd_…, as the refusal names it')
    .option('--json', 'print the recorded event as JSON')
    .action(explain)
  return policy
}

interface TestOptions {
  readonly claims: string
  readonly policy?: string
  readonly providers?: readonly string[]
  readonly activations?: number
  readonly expiresIn?: number
  readonly json?: boolean
}

async function test(config: Config, options: TestOptions): Promise<void> {
  const { policy } = options
  if (policy !== undefined && !config.policies.some(({ name }) => name === policy))
    throw new Failure(`Cannot test this policy: ${config.file} has none of that name, but ${names(config)}.`)
  const claims = await readClaims(options.claims)
  const verdict = judge(config, claims, options)
  await writeOut(`${options.json ? JSON.stringify(verdict, null, 2) : verdictText(verdict)}\n`)
  if (verdict.decision === 'denied') process.exitCode = 1
}

function names({ policies }: Config): string {
  return policies.map(({ name }) => `"${name}"`).join(', ')
}

interface Verdict {
  readonly decision: 'allowed' | 'denied'
  readonly policy: string | null
  readonly activations: number | null
  readonly expires_in: number | null
  readonly providers: readonly string[]
  readonly routes: readonly string[]
  /** `null`: any. */
  readonly models: readonly string[] | null
  readonly checks: readonly CheckResult[]
}

/** Asks each policy for all that it gives, unless the options say what the job asks for. */
function judge(config: Config, claims: Claims, options: TestOptions): Verdict {
  const checks: CheckResult[] = tokenChecks(config, claims)
  if (checks.every(({ passed }) => passed)) {
    const job = jobOf(config, claims)
    for (const policy of config.policies) {
      const decision = decide([policy], config.providers, job, askOf(options, policy.providers))
      checks.push(...decision.trace)
      if (decision.kind === 'allowed') return { decision: 'allowed', ...given(decision.terms), checks }
    }
  }
  const nothing = { policy: null, activations: null, expires_in: null, providers: [], routes: [], models: null }
  return { decision: 'denied', ...nothing, checks }
}

function given({ policy, activations, expiresInSeconds, providers, scope }: Terms) {
  return { policy: policy.name, activations, expires_in: expiresInSeconds, providers, ...scopeText(scope) }
}

function askOf({ policy, providers, activations, expiresIn }: TestOptions, all: readonly string[]): Ask {
  return {
    providers: providers ?? all,
    ...(policy !== undefined && { policy }),
    ...(activations !== undefined && { activations }),
    ...(expiresIn !== undefined && { expiresInSeconds: expiresIn }),
  }
}

/** What the relying party would object to before any policy is asked, as far as the claims tell. */
function tokenChecks(config: Config, claims: Claims): CheckResult[] {
  const expected: Readonly<Record<string, readonly string[]>> = {
    iss: config.issuers.map(({ url }) => url),
    aud: [config.audience],
  }
  return Object.entries(expected)
    .filter(([name]) => Object.hasOwn(claims, name))
    .map(([name, values]) => ({
      policy: '(ID token)',
      check: name,
      passed: values.includes(claims[name] as string),
      expected: values.join(', '),
      found: String(claims[name]),
    }))
}

/** What names the job and no policy needs: claims that were written by hand may leave it out. */
const STAND_INS = { repository: 'owner/name', run_id: '1', run_attempt: '1', check_run_id: '1' }

function jobOf(config: Config, claims: Claims): Job {
  const numbers = ['repository_id', 'repository_owner_id', ...Object.keys(STAND_INS)].filter(
    (name) => typeof claims[name] === 'number',
  )
  if (numbers.length > 0)
    throw new Failure(`Cannot read the claims: write ${numbers.join(', ')} in quotes, as GitHub does.`)
  const job = jobIdentity({ iss: config.issuers[0]!.url, ...STAND_INS, ...claims }, 'optional')
  if ('missing' in job) throw new Failure(`Cannot test the claims: ${job.missing} is missing, or is not text.`)
  const own = Object.entries(job.claims).filter(([name]) => Object.hasOwn(claims, name))
  return { ...job, claims: Object.fromEntries(own) }
}

/** Never shows what it cannot read: it may be a live token. */
async function readClaims(file: string): Promise<Claims> {
  const text = (file === '-' ? await readStdin('the claims') : readText(file)).trim()
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(text)?.[1]
  try {
    const claims: unknown = JSON.parse(payload === undefined ? text : Buffer.from(payload, 'base64url').toString())
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return claims as Claims
  } catch {
    // The message of JSON.parse quotes the text.
  }
  throw new Failure(`Cannot read the claims: ${file} is neither a JSON object nor an ID token.`)
}

function verdictText(verdict: Verdict): string {
  return [
    checksText(verdict.checks),
    ...(verdict.decision === 'allowed' ? allowance(verdict) : ['Denied: no policy allows it.']),
  ].join('\n')
}

function allowance({ policy, activations, expires_in, providers, routes, models }: Verdict): string[] {
  return [
    `Allowed by policy "${policy}": ${activations} activations of ${providers.join(', ')} within ${expires_in} seconds.`,
    `Routes: ${routes.join(', ')}`,
    `Models: ${models?.join(', ') ?? 'any'}`,
  ]
}

function words(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}

function wholeNumber(text: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number')
}
