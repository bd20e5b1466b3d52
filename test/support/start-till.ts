import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import type { Clock, Log, LogFields } from '#broker/ports.ts'
import { parseConfig } from '#config.ts'
import { serve } from '#serve.ts'
import type { MintAnswer, MintRequest } from '#wire/mint.ts'
import type { ReceiptAnswer } from '#wire/receipt.ts'
import { type FakeJob, type Issuer, startIssuer } from './issuer.ts'
import { type Provider, startProvider } from './provider.ts'
import { reservePort } from './reserve-port.ts'

/** A real broker on a real SQLite file, wired to a stand-in issuer and a stand-in provider. */
export interface Till {
  readonly url: string
  readonly issuer: Issuer
  readonly provider: Provider
  /** The configuration's file; its folder holds the database. */
  readonly file: string
  readonly database: string
  /** What the operator's log got. A spawned broker: its output, one entry a line. */
  readonly log: readonly LogLine[]
  /**
   * Mints a key as the action does.
   *
   * @throws {MintFailed} with status and problem, when the broker refuses
   */
  mint(ask?: Partial<MintRequest> & MintOptions): Promise<MintAnswer>
  /** The receipt of a key as it is now, read with the key. */
  receipt(minted: Pick<MintAnswer, 'id' | 'key'>): Promise<ReceiptAnswer>
  /** Ends a key, with the key. */
  revoke(minted: Pick<MintAnswer, 'id' | 'key'>): Promise<ReceiptAnswer>
  /** A call to the broker; `path` begins with `/`. Never follows redirects. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Stops the broker, and the stand-ins that were started with it, and removes its folder. */
  close(): Promise<void>
}

export interface SpawnedTill extends Till {
  /** Of the process that was started last. */
  readonly pid: number
  /** Ends the process (default `SIGKILL`), and resolves with its exit status, `null` for a signal. */
  kill(signal?: NodeJS.Signals): Promise<number | null>
  /** Starts it again, on the same address and the same database. */
  start(): Promise<void>
  /** Keeps the process from running (`SIGSTOP`), or lets it go on. */
  pause(): void
  resume(): void
}

export interface TillOptions {
  readonly issuer?: Issuer
  readonly provider?: Provider
  /** As in `till.yaml`; the default is {@link POLICY}. */
  readonly policies?: readonly object[]
  /** Entries of `providers:`, added to the four presets and `billing`, which all point at the stand-in. */
  readonly providers?: Readonly<Record<string, object>>
  /** Added to the environment in which `env:NAME` is looked up. */
  readonly env?: Readonly<Record<string, string>>
  /** Other top-level fields of `till.yaml`. */
  readonly settings?: Readonly<Record<string, unknown>>
  readonly clock?: Clock
}

export interface MintOptions {
  readonly job?: FakeJob
  readonly idempotencyKey?: string
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly event: string
  readonly fields?: LogFields
}

/** What the default policy gives to any job of acme/web. */
export const POLICY = {
  name: 'review',
  repository_id: '101',
  providers: ['openai', 'anthropic', 'gemini', 'groq', 'billing'],
  activations: 25,
}

export class MintFailed extends Error {
  override readonly name = 'MintFailed'
  readonly status: number
  readonly problem: Readonly<Record<string, unknown>>
  constructor(status: number, problem: Record<string, unknown>) {
    super(`The mint was answered with ${status} ${problem['code']}: ${problem['detail']}`)
    this.status = status
    this.problem = problem
  }
}

/** Starts a broker in this process. */
export async function startTill(options: TillOptions = {}): Promise<Till> {
  const ground = await prepare(options)
  const log: LogLine[] = []
  const config = parseConfig(readFileSync(ground.file, 'utf8'), {
    file: ground.file,
    env: ground.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  if (Array.isArray(config)) throw new Error(`The test's till.yaml is wrong: ${JSON.stringify(config, null, 2)}`)
  const broker = await serve(config as Exclude<typeof config, readonly unknown[]>, {
    log: recorder(log),
    ...(options.clock && { clock: options.clock }),
  })
  return {
    ...ground.till,
    log,
    async close() {
      await broker.close(0)
      await ground.close()
    },
  }
}

const CLI = join(import.meta.dirname, '../../src/cli/till.ts')

/** Starts a broker as a process of its own, as `till serve` is started. */
export async function spawnTill(options: TillOptions = {}): Promise<SpawnedTill> {
  const ground = await prepare(options)
  const log: LogLine[] = []
  let child: ChildProcess | null = null

  const start = async () => {
    const args = ['--disable-sigusr1', CLI, 'serve', '--config', ground.file]
    child = spawn(process.execPath, args, { env: { ...process.env, ...ground.env }, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const [stream, level] of [[child.stdout!, 'info'] as const, [child.stderr!, 'error'] as const])
      stream.setEncoding('utf8').on('data', (text: string) => {
        for (const event of text.split('\n')) if (event !== '') log.push({ level, event })
      })
    const exited = once(child, 'exit').then(() => {
      throw new Error(`till serve ended at its start:\n${log.map(({ event }) => event).join('\n')}`)
    })
    exited.catch(() => {})
    await Promise.race([exited, ready(ground.till.url)])
  }
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    const process = child
    if (!process || process.exitCode !== null || process.signalCode !== null) return process?.exitCode ?? null
    const exited = once(process, 'exit')
    process.kill(signal)
    await exited
    return process.exitCode
  }
  await start()
  return {
    ...ground.till,
    log,
    get pid() {
      return child!.pid!
    },
    start,
    kill,
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async close() {
      await kill()
      await ground.close()
    },
  }
}

/** Everything but the broker itself: the stand-ins, a folder with `till.yaml`, an address that is free. */
async function prepare(options: TillOptions) {
  const issuer = options.issuer ?? (await startIssuer())
  const provider = options.provider ?? (await startProvider())
  const folder = mkdtempSync(join(tmpdir(), 'till-'))
  const file = join(folder, 'till.yaml')
  const address = await reservePort()
  const url = `http://127.0.0.1:${address.port}`
  const credentials = Object.entries(provider.credentials)
  const env = {
    ...Object.fromEntries(credentials.map(([name, value]) => [`REAL_${name.toUpperCase()}`, value])),
    ...options.env,
  }
  writeFileSync(file, stringify(configuration(options, url, issuer, provider)))

  const till: Omit<Till, 'log' | 'close'> = {
    url,
    issuer,
    provider,
    file,
    database: join(folder, 'till.db'),
    fetch: (path, init) => fetch(url + path, { redirect: 'manual', ...init }),
    async mint({ job = issuer.job(), idempotencyKey, ...ask } = {}) {
      const answer = await till.fetch('/v1/keys', {
        method: 'POST',
        headers: {
          authorization: `Bearer ${await job.token({ aud: url })}`,
          'content-type': 'application/json',
          ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
        },
        body: JSON.stringify({ providers: ['openai'], ...ask }),
      })
      const body = (await answer.json()) as Record<string, unknown>
      if (answer.status !== 201) throw new MintFailed(answer.status, body)
      return body as unknown as MintAnswer
    },
    receipt: ({ id, key }) => account(till, `/v1/keys/${id}/receipt`, 'GET', key),
    revoke: ({ id, key }) => account(till, `/v1/keys/${id}`, 'DELETE', key),
  }
  return {
    till,
    file,
    env,
    async close() {
      if (!options.issuer) await issuer.close()
      if (!options.provider) await provider.close()
      address.release()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function account(till: Pick<Till, 'fetch'>, path: string, method: string, key: string): Promise<ReceiptAnswer> {
  const answer = await till.fetch(path, { method, headers: { authorization: `Bearer ${key}` } })
  if (answer.status !== 200) throw new Error(`${method} ${path} was answered with ${answer.status}`)
  return (await answer.json()) as ReceiptAnswer
}

/** `till.yaml` as an operator writes it, but for the origins, which are the stand-in's. */
function configuration(options: TillOptions, url: string, issuer: Issuer, provider: Provider): object {
  const preset = (name: string) => ({ origin: provider.url, credential: `env:REAL_${name.toUpperCase()}` })
  return {
    public_url: url,
    listen: url.slice('http://'.length),
    admin_listen: '127.0.0.1:0',
    storage: 'sqlite:./till.db',
    issuers: [issuer.url],
    ...options.settings,
    providers: {
      openai: preset('openai'),
      anthropic: preset('anthropic'),
      gemini: preset('gemini'),
      groq: preset('groq'),
      billing: {
        ...preset('other'),
        header: 'authorization: Bearer {credential}',
        routes: ['GET /invoices/*', 'POST /invoices'],
        free: ['GET /health'],
        model: 'none',
      },
      ...options.providers,
    },
    policies: options.policies ?? [POLICY],
  }
}

async function ready(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch(() => null)
    if (answer?.ok) return
    await sleep(20)
  }
}

function recorder(lines: LogLine[]): Log {
  const at =
    (level: LogLine['level']) =>
    (event: string, fields?: LogFields): void => {
      lines.push(fields ? { level, event, fields } : { level, event })
    }
  return { info: at('info'), warn: at('warn'), error: at('error') }
}
