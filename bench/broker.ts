import type { ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { Issuer } from '#test/support/issuer.ts'
import { startOn } from './process.ts'

export interface BenchedBroker {
  readonly child: ChildProcess
  readonly pid: number
  readonly port: number
  readonly path: string
  /** Lines of a request's head: the key. */
  readonly headers: readonly string[]
}

/** The whole path: real ID token, policy, scope with a model, SQLite with every charge on disk. */
export async function startBroker(options: {
  readonly core: number
  readonly folder: string
  readonly issuer: Issuer
  readonly providerPort: number
  readonly credential: string
  /** Which jobs the policy is for; the one repository of the issuer's jobs unless said. */
  readonly jobs?: string
}): Promise<BenchedBroker> {
  const { core, folder, issuer, providerPort, credential, jobs = 'repository_id: "101"' } = options
  mkdirSync(folder, { recursive: true })
  const port = await freePort()
  const file = join(folder, 'till.yaml')
  writeFileSync(
    file,
    `public_url: http://127.0.0.1:${port}
listen: 127.0.0.1:${port}
admin_listen: 127.0.0.1:0
storage: sqlite:${join(folder, 'data/till.db')}
issuers: [${JSON.stringify(issuer.url)}]
providers:
  openai: { origin: "http://127.0.0.1:${providerPort}", credential: env:BENCH_CREDENTIAL }
policies:
  - name: bench
    ${jobs}
    providers: [openai]
    activations: 1000000000
    models: ["gpt-5"]
    limits: { concurrent_requests: 8192 }
`,
  )
  const child = startOn(core, process.execPath, [...asStarted(), '--config', file], {
    env: { BENCH_CREDENTIAL: credential },
  })
  child.stderr?.resume()
  child.stdout?.resume()
  await reachable(port)
  const minted = await fetch(`http://127.0.0.1:${port}/v1/keys`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await issuer.token({ aud: `http://127.0.0.1:${port}` })}`,
      'content-type': 'application/json',
    },
    body: '{"providers":["openai"]}',
  })
  if (minted.status !== 201) throw new Error(`The broker minted no key: ${await minted.text()}`)
  const { key } = (await minted.json()) as { key: string }
  return { child, pid: child.pid!, port, path: '/proxy/openai', headers: [`authorization: Bearer ${key}`] }
}

/** The arguments by which `npm start` starts Node. */
function asStarted(): string[] {
  const root = join(import.meta.dirname, '..')
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const [, ...args] = scripts.start.split(' ') as string[]
  return args.map((arg) => (arg.endsWith('.ts') ? join(root, arg) : arg))
}

export async function reachable(port: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`Nothing listens on port ${port} after 20 s`)
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
