import type { Command } from 'commander'
import { loadConfig } from '#cli/config-file.ts'
import type { OpenLedger } from '#serve.ts'

/** Opens the ledger of the configuration, beside a running broker or without one, and closes it afterwards. */
export async function withLedger<T>(command: Command, act: (opened: OpenLedger) => Promise<T>): Promise<T> {
  const config = loadConfig(command.optsWithGlobals()['config'], 'master_key')
  const { openLedger } = await import('#serve.ts')
  const opened = await openLedger(config)
  try {
    return await act(opened)
  } finally {
    await opened.close()
  }
}
