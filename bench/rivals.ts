import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, reachable } from './broker.ts'
import { firstLine, startOn } from './process.ts'

/** Something of npm that forwards requests with a credential that it holds. */
export interface Rival {
  readonly name: string
  start(at: { core: number; providerPort: number; credential: string }): Promise<StartedRival>
}

export interface StartedRival {
  readonly child: ReturnType<typeof startOn>
  readonly port: number
  /** Lines of a request's head. */
  readonly headers: readonly string[]
}

const PACKAGES = join(import.meta.dirname, 'rivals/packages')
/** Outside the main lockfile and outside git. */
const FOLDER = join(import.meta.dirname, '../.rivals')
const MODULES = join(FOLDER, 'node_modules')
const here = (file: string) => join(import.meta.dirname, 'contenders', file)

/** Installs what `rivals/packages/package-lock.json` names, unless it is there. No script of any package runs. */
export function installRivals(): void {
  const lock = readFileSync(join(PACKAGES, 'package-lock.json'), 'utf8')
  const mark = join(FOLDER, 'installed')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === lock) return
  console.error('Installing the rivals (once).')
  rmSync(mark, { force: true })
  mkdirSync(FOLDER, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(PACKAGES, file), join(FOLDER, file))
  const { status } = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: FOLDER,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new Error(`Cannot install the rivals: npm ended with ${status}`)
  writeFileSync(mark, lock)
}

export const rivals: readonly Rival[] = [
  {
    name: 'Portkey gateway',
    async start({ core, providerPort, credential }) {
      const port = await freePort()
      const child = startOn(
        core,
        process.execPath,
        [join(MODULES, '@portkey-ai/gateway/build/start-server.js'), `--port=${port}`, '--headless'],
        { env: { TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' } },
      )
      await drained(child, port)
      const headers = [
        `authorization: Bearer ${credential}`,
        'x-portkey-provider: openai',
        `x-portkey-custom-host: http://127.0.0.1:${providerPort}/v1`,
      ]
      return { child, port, headers }
    },
  },
  {
    name: 'codex responses-api-proxy',
    async start({ core, providerPort, credential }) {
      const port = await freePort()
      const command = `printf %s '${credential}' | exec ${process.execPath} ${join(MODULES, '@openai/codex/bin/codex.js')} responses-api-proxy --port ${port} --upstream-url http://127.0.0.1:${providerPort}/v1/responses`
      const child = startOn(core, 'sh', ['-c', command])
      await drained(child, port)
      return { child, port, headers: [] }
    },
  },
  { name: 'http-proxy-3', start: (at) => script('http-proxy-3.ts', at) },
  { name: '@fastify/reply-from', start: (at) => script('reply-from.ts', at) },
]

async function script(file: string, { core, providerPort, credential }: Parameters<Rival['start']>[0]) {
  const child = startOn(core, process.execPath, [here(file), String(providerPort), credential, FOLDER])
  return { child, port: Number(await firstLine(child)), headers: [] }
}

async function drained(child: ReturnType<typeof startOn>, port: number): Promise<void> {
  child.stdout?.resume()
  child.stderr?.resume()
  await reachable(port)
}
