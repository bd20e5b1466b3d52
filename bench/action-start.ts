/**
 * `node bench/action-start.ts`: how long the action's main takes from its start to its first request, next to a Node
 * script that does nothing but that request by hand, and to the usual way, `getIDToken` of a bundled `@actions/core`.
 * Runs alternate; medians of `--rounds N` (default 30) are printed, and the bytes of JavaScript that each loads.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildSync } from 'esbuild'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '30' } } })
const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'till-bench-'))

const byHand = join(folder, 'by-hand.mjs')
writeFileSync(byHand, `process.getBuiltinModule('node:http').get(process.env.ACTIONS_ID_TOKEN_REQUEST_URL)\n`)
const usual = join(folder, 'usual.mjs')
buildSync({
  stdin: { contents: `import { getIDToken } from '@actions/core'\nawait getIDToken('x')`, resolveDir: root },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)` },
  outfile: usual,
})

let arrived = () => {}
const server = createServer((request) => {
  arrived()
  request.socket.destroy()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const contenders = [
  { name: 'a script that only asks', file: byHand, milliseconds: [] as number[] },
  { name: 'dist/main.js', file: join(root, 'dist/main.js'), milliseconds: [] as number[] },
  { name: 'getIDToken of @actions/core', file: usual, milliseconds: [] as number[] },
]
for (let round = 0; round < Number(values.rounds); round++)
  for (const contender of contenders) contender.milliseconds.push(await toFirstRequest(contender.file))
server.close()

const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!
const usualTime = median(contenders.at(-1)!.milliseconds)
for (const { name, file, milliseconds } of contenders) {
  const time = median(milliseconds)
  const bytes = statSync(file).size.toLocaleString('en')
  console.log(
    `${name.padEnd(30)} ${time.toFixed(1).padStart(7)} ms  ${(time / usualTime).toFixed(2)} of the usual  ${bytes} bytes`,
  )
}
rmSync(folder, { recursive: true })

/** Milliseconds from the start of the process to the arrival of its first request. */
async function toFirstRequest(file: string): Promise<number> {
  const first = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const began = performance.now()
  const child = spawn(process.execPath, [file], {
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'],
      INPUT_BROKER: origin,
      INPUT_PROVIDER: 'openai',
      ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/idtoken?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'x',
    },
  })
  const ended = once(child, 'exit')
  await first
  const milliseconds = performance.now() - began
  child.kill('SIGKILL')
  await ended
  return milliseconds
}
