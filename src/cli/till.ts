import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { auditCommand } from './commands/audit.ts'
import { checkCommand } from './commands/check.ts'
import { credentialCommand } from './commands/credential.ts'
import { initCommand } from './commands/init.ts'
import { keysCommand } from './commands/keys.ts'
import { policyCommand } from './commands/policy.ts'
import { receiptCommand } from './commands/receipt.ts'
import { serveCommand } from './commands/serve.ts'
import { faultText, WrongUse } from './failure.ts'

/** Exit statuses: done; refused or failed; wrong use. */
const FAILED = 1
const WRONG_USE = 2

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))

const till = new Command('till')
  .description('Keys for CI jobs: one job, one scope, one budget.')
  .version(version)
  .option('-c, --config <file>', 'the configuration', 'till.yaml')
for (const command of [
  serveCommand(),
  initCommand(),
  checkCommand(),
  keysCommand(),
  policyCommand(),
  credentialCommand(),
  auditCommand(),
  receiptCommand(),
])
  till.addCommand(command)
settle(till)

// Node would print the error itself, message and all.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${faultText(error)}\n`)
  process.exit(FAILED)
})

try {
  await till.parseAsync()
} catch (error) {
  process.exitCode = statusOf(error)
}

/** Of every command: its help shows `--config`, and the exit status is ours, since Commander says 1 for wrong use. */
function settle(command: Command): void {
  command.configureHelp({ showGlobalOptions: true }).exitOverride()
  for (const child of command.commands) settle(child)
}

function statusOf(error: unknown): number {
  // Help and the version that were asked for are no failures; Commander has written its sentence already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE
  process.stderr.write(`${faultText(error)}\n`)
  return error instanceof WrongUse ? WRONG_USE : FAILED
}
