import { Command } from 'commander'
import { summary } from '#cli/commands/check.ts'
import { isConfig, loadConfig, problemLines, readConfigFile } from '#cli/config-file.ts'
import { writeOut } from '#cli/standard-output.ts'
import type { Address, Config } from '#config.ts'
import type { Broker, Log } from '#serve.ts'

/** `till serve`: runs the broker until SIGTERM or SIGINT; SIGHUP reads the configuration again. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the broker; SIGHUP reads the configuration again, SIGTERM stops when open streams have finished')
    .option(
      '--accept-clock',
      'start though keys were used later than the clock says: it was wrong then, and is right now',
    )
    .action(async ({ acceptClock = false }: ServeOptions, command: Command) =>
      run(command.optsWithGlobals()['config'], acceptClock),
    )
}

interface ServeOptions {
  readonly acceptClock?: boolean
}

interface Started {
  readonly broker: Broker
  readonly config: Config
  readonly log: Log
}

async function run(file: string, acceptClock: boolean): Promise<void> {
  const starting = start(file, acceptClock)
  // At once: a SIGHUP would end the process, and the first one of a container does not hear a SIGTERM without this.
  reloadOnHangup(starting, file)
  const end = stopped(starting)
  const { broker, config } = await starting
  // A broker whose line nobody reads serves all the same.
  writeOut(`Till listens on ${shown(broker.address)}: ${summary(config)}.\n`).catch(() => {})
  await end
  // Nothing is left to wait for but connections that idle.
  process.exit(0)
}

async function start(file: string, acceptClock: boolean): Promise<Started> {
  const config = loadConfig(file)
  const { keepProcessPrivate, tuneV8, operatorLog, serve } = await import('#serve.ts')
  const log = operatorLog()
  keepProcessPrivate(log)
  tuneV8()
  return { broker: await serve(config, { log, acceptClock }), config, log }
}

/** One reload after the other, so that the file that was read last is the one in force. */
function reloadOnHangup(starting: Promise<Started>, file: string): void {
  let turn: Promise<unknown> = starting.catch(() => {})
  process.on('SIGHUP', () => {
    turn = turn.then(async () => {
      const { broker, log } = await starting
      await reload(broker, file, log).catch(() => log.error('config.reload_failed', { file }))
    })
    turn.catch(() => {})
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
function stopped(starting: Promise<Started>): Promise<void> {
  const end = new Promise<void>((resolve, reject) => {
    let askedAt: number | null = null
    const stop = () => {
      if (askedAt !== null) return Date.now() - askedAt > SAME_SIGNAL ? process.exit(1) : undefined
      askedAt = Date.now()
      starting.then(({ broker }) => broker.close()).then(resolve, reject)
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
  })
  // A start that fails is told by who waits for it.
  end.catch(() => {})
  return end
}

function shown({ host, port }: Address): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
