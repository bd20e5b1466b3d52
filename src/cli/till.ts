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
import { ReaderGone, writeOut } from './standard-output.ts'

/** Exit statuses: done; refused or failed; wrong use; as a shell tells of what SIGPIPE ended. */
const FAILED = 1
const WRONG_USE = 2
const READER_GONE = 141

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
/** Commander writes help and version where nobody can wait. */
let help = Promise.resolve()
settle(till)

// Node would print the error itself, message and all.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${faultText(error)}\n`)
  process.exit(FAILED)
})

// Of standard output `writeOut` tells; of standard error there is nowhere left to tell.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

try {
  await till.parseAsync()
} catch (error) {
  process.exitCode = statusOf(
    await help.then(
      () => error,
      (fault) => fault,
    ),
  )
}

/** Of every command: its help shows `--config`; the exit status is ours, since Commander says 1 for wrong use. */
function settle(command: Command): void {
  command.configureHelp({ showGlobalOptions: true }).exitOverride()
  command.configureOutput({
    writeOut: (text) => {
      help = writeOut(text)
      help.catch(() => {})
    },
  })
  for (const child of command.commands) settle(child)
}

function statusOf(error: unknown): number {
  // Help and the version that were asked for are no failures; Commander has written its sentence already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE
  if (error instanceof ReaderGone) return READER_GONE
  process.stderr.write(`${faultText(error)}\n`)
  return error instanceof WrongUse ? WRONG_USE : FAILED
}
