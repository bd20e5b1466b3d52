import { Command } from 'commander'
import { summary } from '#cli/commands/check.ts'
import { isConfig, loadConfig, problemLines, readConfigFile } from '#cli/config-file.ts'
import type { Address } from '#config.ts'
import type { Broker, Log } from '#serve.ts'

/** `till serve`: runs the broker until SIGTERM or SIGINT; SIGHUP reads the configuration again. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the broker; SIGHUP reads the configuration again, SIGTERM stops when open streams have finished')
    .action(async (_, command: Command) => run(command.optsWithGlobals()['config']))
}

async function run(file: string): Promise<void> {
  const config = loadConfig(file)
  const { keepProcessPrivate, tuneV8, operatorLog, serve } = await import('#serve.ts')
  const log = operatorLog()
  keepProcessPrivate(log)
  tuneV8()
  const broker = await serve(config, { log })
  reloadOnHangup(broker, file, log)
  const end = stopped(broker)
  // Who waits for this line may send signals now.
  process.stdout.write(`Till listens on ${shown(broker.address)}: ${summary(config)}.\n`)
  await end
  // Nothing is left to wait for but connections that idle.
  process.exit(0)
}

/** One reload after the other, so that the file that was read last is the one in force. */
function reloadOnHangup(broker: Broker, file: string, log: Log): void {
  let turn = Promise.resolve()
  process.on('SIGHUP', () => {
    turn = turn.then(() => reload(broker, file, log)).catch(() => log.error('config.reload_failed', { file }))
  })
}

/** A bad file changes nothing: what runs goes on, and the log has every problem. */
async function reload(broker: Broker, file: string, log: Log): Promise<void> {
  const config = readConfigFile(file)
  if (isConfig(config)) return broker.reload(config)
  log.error('config.refused', { file, problem: problemLines(file, config) })
}

/** Milliseconds. npm passes a Ctrl-C on that the terminal has sent already; a later one is another. */
const SAME_SIGNAL = 1000

/** Resolves when a signal has stopped the broker. A second one does not wait for open streams. */
function stopped(broker: Broker): Promise<void> {
  return new Promise((resolve, reject) => {
    let askedAt: number | null = null
    const stop = () => {
      if (askedAt !== null) return Date.now() - askedAt > SAME_SIGNAL ? process.exit(1) : undefined
      askedAt = Date.now()
      broker.close().then(resolve, reject)
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
  })
}

function shown({ host, port }: Address): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
