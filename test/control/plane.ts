import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { controlPlane } from '#control/app.ts'
import type { ControlOptions } from '#control/call.ts'
import { tokenVerifier } from '#oidc/verify-id-token.ts'
import { startWorld, type World } from '#test/broker/world.ts'
import { type FakeJob, type Issuer, startIssuer } from '#test/support/issuer.ts'
import type { MintAnswer } from '#wire/mint.ts'
import type { Problem } from '#wire/problem.ts'

export const AUDIENCE = 'https://till.test'

/** The control plane on a socket, with a real ledger and a real issuer, and time as it is. */
export interface Plane {
  readonly url: string
  readonly world: World
  readonly issuer: Issuer
  /** What a test puts here counts for the next request. */
  readonly control: { -readonly [name in keyof ControlOptions]: ControlOptions[name] }
  token(job?: FakeJob): Promise<string>
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Mints as the action does; the answer as it came. */
  mint(token: string, ask?: unknown, headers?: Record<string, string>): Promise<Response>
  minted(job?: FakeJob): Promise<MintAnswer>
  /** Sends bytes as they are, and resolves with all that came until the broker closed, or until `until` was seen. */
  raw(bytes: string, until?: string): Promise<string>
  close(): Promise<void>
}

export async function startPlane(options: Partial<ControlOptions> = {}): Promise<Plane> {
  const world = await startWorld()
  const issuer = await startIssuer()
  const clock = () => Date.now() / 1000
  const verifier = tokenVerifier({
    issuers: () => [{ url: issuer.url, checkRunId: 'required' }],
    audience: () => AUDIENCE,
    clock,
    log: world.log,
  })
  const control: Plane['control'] = {
    ...world,
    clock,
    verifier,
    publicUrl: AUDIENCE,
    audience: AUDIENCE,
    version: '0.1.0',
    commentBy: () => 'action',
    webhook: async () => null,
    unready: async () => null,
    stopping: () => false,
    ...options,
  }
  const server = createServer(controlPlane(control)).listen(0, '127.0.0.1')
  // As on the public listener.
  server.maxHeadersCount = 0
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`

  const plane: Plane = {
    url,
    world,
    issuer,
    control,
    token: (job = issuer.job()) => job.token({ aud: AUDIENCE }),
    fetch: (path, init) => fetch(url + path, { redirect: 'manual', ...init }),
    mint: (token, ask = { providers: ['openai'] }, headers = {}) =>
      plane.fetch('/v1/keys', {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        body: typeof ask === 'string' ? ask : JSON.stringify(ask),
      }),
    minted: async (job) => (await (await plane.mint(await plane.token(job))).json()) as MintAnswer,
    raw: (bytes, until) =>
      new Promise((resolve, reject) => {
        let text = ''
        const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
        socket.setEncoding('latin1').on('data', (data: string) => {
          text += data
          if (until !== undefined && text.includes(until)) socket.destroy()
        })
        socket.on('close', () => resolve(text)).on('error', reject)
      }),
    async close() {
      server.closeAllConnections()
      server.close()
      await issuer.close()
      await world.close()
    },
  }
  return plane
}

export async function problem(response: Response): Promise<Problem> {
  return (await response.json()) as Problem
}
