import type { Command } from 'commander'
import { loadConfig } from '#cli/config-file.ts'
import type { OpenLedger } from '#serve.ts'

/** Opens the ledger of the configuration, beside a running broker or without one, and closes it afterwards. Makes none. */
export async function withLedger<T>(command: Command, act: (opened: OpenLedger) => Promise<T>): Promise<T> {
  const config = loadConfig(command.optsWithGlobals()['config'], 'master_key')
  const { openLedgerThatIsThere } = await import('#serve.ts')
  const opened = await openLedgerThatIsThere(config)
  try {
    return await act(opened)
  } finally {
    await opened.close()
  }
}
