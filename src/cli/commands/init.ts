import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { Failure } from '#cli/failure.ts'
import { writeOut } from '#cli/standard-output.ts'
import { presets } from '#domain/presets.ts'

/** `till init`: writes a configuration that `till check` accepts once the credentials it names are there. */
export function initCommand(): Command {
  return new Command('init')
    .description('write a commented configuration, and the folder of the database')
    .option('--public-url <url>', 'where jobs will reach the broker', publicUrl, 'http://127.0.0.1:4100')
    .option('--repository-id <id>', 'the repository whose jobs may have keys', repositoryId, NO_REPOSITORY)
    .option('--provider <names>', `one or several of ${[...presets.keys()].join(' ')}`, providers, DEFAULT_PROVIDERS)
    .action((options: InitOptions, command: Command) => init(command.optsWithGlobals()['config'], options))
}

const DEFAULT_PROVIDERS: readonly string[] = ['openai']
/** No repository has this id. */
const NO_REPOSITORY = '0'

interface InitOptions {
  readonly publicUrl: string
  readonly repositoryId: string
  readonly provider: readonly string[]
}

async function init(file: string, options: InitOptions): Promise<void> {
  const folder = join(dirname(file), 'till-data')
  try {
    writeFileSync(file, configuration(options), { flag: 'wx', mode: 0o600 })
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    // The database and its master key stand here.
    writeFileSync(join(folder, '.gitignore'), '*\n')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new Failure(`Cannot write ${file}: it is there already. Remove it, or name another with --config.`)
    throw new Failure(`Cannot write ${file} (${code}).`)
  }
  await writeOut(nextSteps(file, options))
}

function nextSteps(file: string, { publicUrl, repositoryId, provider }: InitOptions): string {
  const config = file === 'till.yaml' ? '' : ` --config ${file}`
  const steps = [
    ...(repositoryId === NO_REPOSITORY
      ? [`put your repository's id into ${file}: gh api repos/OWNER/NAME --jq .id`]
      : []),
    ...(publicUrl.startsWith('http:')
      ? [`put the URL at which jobs reach the broker into ${file}, once there is one`]
      : []),
    ...provider.map((name) => `export ${variable(name)}=… (the real key; it stays with the broker)`),
    `till check${config}`,
    `till serve${config}`,
  ]
  return [`${file} is written. Next:`, ...steps.map((step, i) => `  ${i + 1}. ${step}`), ''].join('\n')
}

function variable(provider: string): string {
  return `${provider.toUpperCase()}_API_KEY`
}

function configuration({ publicUrl, repositoryId, provider }: InitOptions): string {
  return `# The configuration of Till. docs/configuration.md has every field; \`till check\` says what is wrong.

# Where jobs reach the broker: an https URL. Its origin is the audience of their ID tokens.
public_url: ${publicUrl}

# Where it listens. TLS belongs in front of it. In a container: 0.0.0.0:4100.
listen: 127.0.0.1:4100
# Kept for a listener of operators: nothing listens here in this version.
admin_listen: 127.0.0.1:4101

# Keys, counters and the audit log. The master key is made beside it at the first start: keep both, and only together.
storage: sqlite:./till-data/till.db

# Whose ID tokens are believed. GitHub Enterprise Server: https://HOST/_services/token, with check_run_id: optional.
issuers:
  - https://token.actions.githubusercontent.com

# The APIs behind the broker. The credential is never in this file: env:NAME, file:PATH, or stored.
providers:
${provider.map((name) => `  ${name}: { credential: env:${variable(name)} }`).join('\n')}

# Which jobs may have what. Read from top to bottom; the first that matches decides.
policies:
  - name: agents
    # The id, not the name: names can be taken by others. gh api repos/OWNER/NAME --jq .id
    repository_id: "${repositoryId}"
    # All of these must match the job's ID token. Without event_name, events in which outsiders decide what runs
    # (pull_request_target, issue_comment, workflow_run, …) get nothing.
    # claims:
    #   ref: refs/heads/main
    #   environment: agents
    providers: [${provider.join(', ')}]
    # Calls of one job that cost something. The next one is refused.
    activations: 50
    # Seconds. The key also dies with the job.
    expires_in: 3600
    idle_after: 1200
    # Narrower than all that the provider offers:
    # routes: ["POST /v1/responses"]
    # models: ["gpt-5-mini"]
    # One workflow run can have many jobs, so a budget of a job alone is no cap.
    limits: { keys_per_run: 16, activations_per_run: 400, activations_per_day: 5000 }
`
}

function publicUrl(text: string): string {
  const form = /^(?:https:\/\/[\w.-]+|http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?(?:\/[\w~-][\w.~-]*)*\/?$/
  if (form.test(text)) return text.replace(/\/$/, '')
  throw new InvalidArgumentError('expected an https: URL, such as https://till.example.com')
}

function repositoryId(text: string): string {
  if (/^[0-9]{1,20}$/.test(text)) return text
  throw new InvalidArgumentError('expected a number, such as `gh api repos/OWNER/NAME --jq .id` prints')
}

function providers(text: string, before: readonly string[]): readonly string[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== '')
  const unknown = names.find((name) => !presets.has(name))
  if (names.length === 0 || unknown !== undefined)
    throw new InvalidArgumentError(`known are ${[...presets.keys()].join(', ')}`)
  return [...new Set(before === DEFAULT_PROVIDERS ? names : [...before, ...names])]
}
