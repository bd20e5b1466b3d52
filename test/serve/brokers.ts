import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { parse, stringify } from 'yaml'
import { type Config, parseConfig } from '#config.ts'
import { type Broker, type Log, serve } from '#serve.ts'
import { startTill, type Till, type TillOptions } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'

/** Brokers that end with their test, the last one first. */
export interface Brokers {
  till(options?: TillOptions): Promise<Till>
  /** A broker that the test stops, reloads and starts again by itself, beside a till whose stand-ins it uses. */
  start(config: Config, clock?: () => number, monotonic?: () => number, acceptClock?: boolean): Promise<Started>
  also(close: () => unknown): void
  close(): Promise<void>
}

export interface Started {
  readonly broker: Broker
  readonly url: string
  readonly log: readonly { readonly event: string; readonly fields?: object }[]
}

export function brokers(): Brokers {
  const closing: (() => unknown)[] = []
  return {
    async till(options) {
      const till = await startTill(options)
      closing.push(() => till.close())
      return till
    },
    async start(config, clock, monotonic, acceptClock = false) {
      const lines: { event: string; fields?: object }[] = []
      const note: Log['info'] = (event, fields) => lines.push({ event, ...(fields && { fields }) })
      const log = { info: note, warn: note, error: note }
      const broker = await serve(config, { log, acceptClock, ...(clock && { clock }), ...(monotonic && { monotonic }) })
      closing.push(() => broker.close(0))
      return { broker, url: `http://127.0.0.1:${broker.address.port}`, log: lines }
    },
    also: (close) => void closing.push(close),
    async close() {
      for (const close of closing.splice(0).reverse()) await close()
    },
  }
}

/** `till.yaml`, as far as these tests change it. */
interface File {
  listen: string
  storage: string
  public_url: string
  master_key?: string
  github?: object
  providers: Record<string, object>
  policies: { activations: number }[]
}

/** The till's configuration for a second broker: a port and a database of its own, and what the test changes. */
export function beside(till: Till, change: (file: File) => void = () => {}): Config {
  const file = parse(readFileSync(till.file, 'utf8')) as File
  Object.assign(file, { listen: '127.0.0.1:0', storage: 'sqlite:./second.db' })
  change(file)
  const credentials = Object.entries(till.provider.credentials).map(
    ([name, value]) => [`REAL_${name.toUpperCase()}`, value] as const,
  )
  const config = parseConfig(stringify(file), {
    file: till.file,
    env: { ...Object.fromEntries(credentials), MASTER_KEY: Buffer.alloc(32, 1).toString('base64') },
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  if (!('providers' in config)) throw new Error(JSON.stringify(config))
  return config
}

/** Asks the broker at `url` for a key of a new job. */
export async function mintAt(url: string, till: Till): Promise<Response> {
  const token = await till.issuer.job().token({ aud: till.url })
  const headers = { authorization: `Bearer ${token}` }
  return fetch(`${url}/v1/keys`, { method: 'POST', headers, body: '{"providers":["openai"]}' })
}

export async function mintedAt(url: string, till: Till): Promise<MintAnswer> {
  const response = await mintAt(url, till)
  expect(response.status).toBe(201)
  return (await response.json()) as MintAnswer
}

/** One request that costs an activation. */
export function use(url: string, key: string, more: object = {}): Promise<Response> {
  return fetch(`${url}/proxy/openai/v1/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-5-mini', input: 'hello', ...more }),
  })
}
