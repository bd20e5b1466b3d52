import { Command } from 'commander'
import { isConfig, problemLines, readConfigFile } from '#cli/config-file.ts'
import { Failure } from '#cli/failure.ts'
import type { Config } from '#config.ts'

/** `till check`: says everything that is wrong with the configuration at once, or that it is good. */
export function checkCommand(): Command {
  return new Command('check')
    .description('validate the configuration, and say every problem with its line')
    .action((_, command: Command) => {
      const file: string = command.optsWithGlobals()['config']
      const config = readConfigFile(file)
      if (isConfig(config)) {
        process.stdout.write(`${file} is good: ${summary(config)}.\n`)
        for (const warning of warnings(config)) process.stdout.write(`warning: ${warning}\n`)
      } else
        throw new Failure([...problemLines(file, config), `${file} has ${count(config.length, 'problem')}.`].join('\n'))
    })
}

/** What is allowed and seldom meant. */
function warnings({ issuers, policies }: Config): string[] {
  if (issuers.length < 2) return []
  return policies
    .filter(({ claims }) => !claims.has('iss'))
    .map(
      ({ name }) =>
        `policy "${name}" has no claims.iss, and there are ${issuers.length} issuers: ids are unique within one GitHub ` +
        'only, so that the repository with this id at any of them gets a key.',
    )
}

/** Such as `2 providers, 1 policy, 1 issuer, SQLite, for jobs at https://till.example.com`. */
export function summary(config: Config): string {
  return [
    count(config.providers.size, 'provider'),
    count(config.policies.length, 'policy', 'policies'),
    count(config.issuers.length, 'issuer'),
    config.storage.kind === 'sqlite' ? 'SQLite' : 'PostgreSQL',
    ...(config.workers > 1 ? [`${config.workers} workers`] : []),
    `for jobs at ${config.publicUrl}`,
  ].join(', ')
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
