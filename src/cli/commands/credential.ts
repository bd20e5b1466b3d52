import { Command } from 'commander'
import { loadConfig } from '#cli/config-file.ts'
import { Failure } from '#cli/failure.ts'
import { operator } from '#cli/operator.ts'
import { readStdin } from '#cli/read-stdin.ts'
import { writeOut } from '#cli/standard-output.ts'
import { columns } from '#cli/text.ts'
import { type Config, credentialFault } from '#config.ts'
import { credentialRecord, storedCredential } from '#crypto/stored-credentials.ts'
import type { OpenLedger } from '#serve.ts'

/** `till credential set|rotate|list`: providers' credentials for `credential: stored`, sealed in the ledger. */
export function credentialCommand(): Command {
  const credential = new Command('credential').description("providers' credentials that are sealed in the ledger")
  const fileOf = (command: Command): string => command.optsWithGlobals()['config']
  credential
    .command('set')
    .description('seal a credential that is read from standard input; SIGHUP makes a running broker use it')
    .argument('<provider>', 'a provider with `credential: stored`')
    .action((name: string, _, command: Command) => seal(fileOf(command), name, 'set'))
  credential
    .command('rotate')
    .description('the same in place of one that is sealed; keys and their budgets stay as they are')
    .argument('<provider>', 'a provider whose credential is sealed')
    .action((name: string, _, command: Command) => seal(fileOf(command), name, 'rotate'))
  credential
    .command('list')
    .description('where the credential of each provider is, and whether it is there; never the credential')
    .option('--json', 'print a JSON array')
    .action(({ json }: { readonly json?: boolean }, command: Command) => list(fileOf(command), json === true))
  return credential
}

async function seal(file: string, name: string, act: 'set' | 'rotate'): Promise<void> {
  const config = loadConfig(file, 'master_key')
  const provider = config.providers.get(name)
  if (!provider) throw new Failure(`Cannot ${act} a credential: ${file} has no provider of this name.`)
  if (config.credentials.get(name)?.kind !== 'stored')
    throw new Failure(
      `Cannot ${act} a credential: ${file} takes that of "${name}" from elsewhere. Write credential: stored.`,
    )
  const value = (await readStdin(`the credential of ${name}`)).replace(/\r?\n$/, '')
  const fault = credentialFault(value)
  if (fault !== null) throw new Failure(`Cannot use this credential: ${fault}.`)
  await withRecords(config, act === 'set', async (records) => {
    if (act === 'rotate' && (await storedCredential(records, provider)) === null)
      throw new Failure(
        `Cannot rotate a credential: none of ${name} is sealed for ${provider.origin}. \`till credential set ${name}\` seals one.`,
      )
    const fact = { type: `operator.${act}_credential`, operator: operator(), provider: name } as const
    const bytes = Buffer.from(value, 'latin1')
    await records.writeRecord(credentialRecord(provider), bytes, { fact, now: Date.now() / 1000 })
  })
  await writeOut(
    `The credential of ${name} is sealed, for ${provider.origin} only. A running broker uses it after SIGHUP.\n`,
  )
}

async function list(file: string, isJson: boolean): Promise<void> {
  const config = loadConfig(file, 'master_key')
  const rows = await withRecords(config, false, (records) =>
    Promise.all(
      [...config.providers.values()].map(async (provider) => {
        const isStored = config.credentials.get(provider.name)?.kind === 'stored'
        const isThere = isStored && (await storedCredential(records, provider)) !== null
        const credential = isStored ? (isThere ? 'sealed' : 'missing') : 'in the configuration'
        return { provider: provider.name, credential, origin: provider.origin }
      }),
    ),
  )
  const head = ['provider', 'credential', 'origin']
  const text = isJson ? JSON.stringify(rows, null, 2) : columns([head, ...rows.map((row) => Object.values(row))])
  await writeOut(`${text}\n`)
}

/** @param mayBeNew whether a ledger is made where there is none: a credential can be sealed before the first start */
async function withRecords<T>(
  config: Config,
  mayBeNew: boolean,
  use: (records: OpenLedger['records']) => Promise<T>,
): Promise<T> {
  const { openLedger, openLedgerThatIsThere } = await import('#serve.ts')
  const opened = await (mayBeNew ? openLedger(config) : openLedgerThatIsThere(config))
  try {
    return await use(opened.records)
  } finally {
    await opened.close()
  }
}
