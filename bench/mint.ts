/**
 * `node bench/mint.ts`: what it takes to mint a key, over one kept connection: the ID token is verified, the policy
 * decides, key, job and token are on disk. The tokens are made before, and the issuer's keys are known. Each mint is of
 * another job and repository, so that no limit is met. Between them `GET /healthz`, which does none of it. Options:
 * `--mints N` (default 300).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CLAIMS, startIssuer } from '#test/support/issuer.ts'
import { startBroker } from './broker.ts'

const { values } = parseArgs({ options: { mints: { type: 'string', default: '300' } } })
const MINTS = Number(values.mints)
/** In which the broker's code is compiled; not counted. */
const WARM = 100
const [FLOOR, AIM] = [10, 5]

const folder = mkdtempSync(join(tmpdir(), 'till-bench-'))
const issuer = await startIssuer()
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

try {
  const { child, port } = await startBroker({
    core: 0,
    folder,
    issuer,
    providerPort: 1,
    credential: 'sk-bench-0123456789abcdefghijklmnopqrstuvwxyz',
    jobs: `repository_owner_id: "${CLAIMS.repository_owner_id}"`,
  })
  const aud = `http://127.0.0.1:${port}`
  const tokens: string[] = []
  for (let n = 0; n < WARM + MINTS; n++) tokens.push(await issuer.token({ aud, repository_id: String(10_000 + n) }))
  const mints: number[] = []
  const healths: number[] = []
  for (const token of tokens) {
    mints.push(await timed(port, 'POST', '/v1/keys', token))
    healths.push(await timed(port, 'GET', '/healthz'))
  }
  child.kill('SIGKILL')
  const [mint, health] = [mints.slice(WARM), healths.slice(WARM)]
  const verdict = at(mint, 0.5) <= AIM ? 'aim' : at(mint, 0.5) <= FLOOR ? 'floor' : 'below'
  console.log('| | p50 ms | p99 ms | floor | aim | |\n|---|---|---|---|---|---|')
  console.log(`| mint | ${at(mint, 0.5).toFixed(2)} | ${at(mint, 0.99).toFixed(2)} | ${FLOOR} | ${AIM} | ${verdict} |`)
  console.log(`| GET /healthz | ${at(health, 0.5).toFixed(2)} | ${at(health, 0.99).toFixed(2)} | | | |`)
  console.log(`| a mint ÷ GET /healthz | ${(at(mint, 0.5) / at(health, 0.5)).toFixed(1)} | | | | |`)
} finally {
  agent.destroy()
  await issuer.close()
  rmSync(folder, { recursive: true, force: true })
}

/** @returns milliseconds from the request to the end of its answer */
function timed(port: number, method: string, path: string, token?: string): Promise<number> {
  const body = token === undefined ? '' : '{"providers":["openai"]}'
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(body !== '' && { 'content-type': 'application/json', 'content-length': body.length }),
  }
  return new Promise((resolve, reject) => {
    const began = performance.now()
    request({ port, host: '127.0.0.1', agent, method, path, headers }, (response) => {
      if (response.statusCode !== (token === undefined ? 200 : 201))
        return reject(new Error(`${method} ${path} was answered by ${response.statusCode}`))
      response.resume().once('end', () => resolve(performance.now() - began))
    })
      .once('error', reject)
      .end(body)
  })
}

function at(numbers: readonly number[], part: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) * part)]!
}
