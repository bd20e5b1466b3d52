import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { loadConfig } from '#cli/config-file.ts'
import { Failure } from '#cli/failure.ts'
import { credentialFault } from '#config.ts'
import { credentialRecord } from '#crypto/stored-credentials.ts'

/** `till credential set`: seals a provider's credential in the ledger, for `credential: stored`. */
export function credentialCommand(): Command {
  const credential = new Command('credential').description("providers' credentials that are sealed in the ledger")
  credential
    .command('set')
    .description('seal a credential that is read from standard input; SIGHUP makes a running broker use it')
    .argument('<provider>', 'a provider with `credential: stored`')
    .action((name: string, _, command: Command) => set(command.optsWithGlobals()['config'], name))
  return credential
}

async function set(file: string, name: string): Promise<void> {
  const config = loadConfig(file, 'master_key')
  const provider = config.providers.get(name)
  if (!provider) throw new Failure(`Cannot set a credential: ${file} has no provider of this name.`)
  if (config.credentials.get(name)?.kind !== 'stored')
    throw new Failure(
      `Cannot set a credential: ${file} takes that of "${name}" from elsewhere. Write credential: stored.`,
    )
  if (process.stdin.isTTY) process.stderr.write(`Paste the credential of ${name}, then end with Enter and Ctrl-D:\n`)
  const value = readFileSync(0, 'utf8').replace(/\r?\n$/, '')
  const fault = credentialFault(value)
  if (fault !== null) throw new Failure(`Cannot use this credential: ${fault}.`)
  const { openLedger } = await import('#serve.ts')
  const opened = await openLedger(config)
  try {
    await opened.records.writeRecord(credentialRecord(provider), Buffer.from(value, 'latin1'))
  } finally {
    await opened.close()
  }
  process.stdout.write(
    `The credential of ${name} is sealed, for ${provider.origin} only. A running broker uses it after SIGHUP.\n`,
  )
}
