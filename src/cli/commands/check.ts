import { Command } from 'commander'
import { isConfig, problemLines, readConfigFile } from '#cli/config-file.ts'
import { Failure } from '#cli/failure.ts'
import { writeOut } from '#cli/standard-output.ts'
import { type Config, risks } from '#config.ts'

/** `till check`: says everything that is wrong with the configuration at once, or that it is good. */
export function checkCommand(): Command {
  return new Command('check')
    .description('validate the configuration, and say every problem with its line')
    .action(async (_, command: Command) => {
      const file: string = command.optsWithGlobals()['config']
      const config = readConfigFile(file)
      if (isConfig(config)) {
        await writeOut(`${file} is good: ${summary(config)}.\n`)
        for (const risk of risks(config)) await writeOut(`warning: ${risk}\n`)
      } else
        throw new Failure([...problemLines(file, config), `${file} has ${count(config.length, 'problem')}.`].join('\n'))
    })
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
