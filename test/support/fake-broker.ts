import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Receipt } from '#domain/receipt.ts'

/** A broker that says whatever a test wants, and GitHub's token service beside it. */
export interface FakeBroker {
  readonly url: string
  /** `METHOD /path` of each request, in order. */
  readonly asked: readonly string[]
  readonly requests: readonly {
    readonly what: string
    readonly headers: IncomingMessage['headers']
    readonly body: string
  }[]
  /** What the runner sets for a job with `id-token: write`. */
  readonly environment: Record<string, string>
  close(): Promise<void>
}

export type Answerer = (request: IncomingMessage, response: ServerResponse, url: string) => void

export const KEY = 'till_0000000000000000000000000000000000000000000abcdef'
export const KEY_ID = 'k_0123456789ABCDEFGHIJKL'
const NOW = Math.floor(Date.now() / 1000)

/** A mint answer as the broker at `url` gives it. */
export function minted(url: string, changes: object = {}): object {
  return {
    id: KEY_ID,
    key: KEY,
    policy: 'review',
    providers: { openai: { base_url: `${url}/proxy/openai/v1` } },
    activations: 25,
    expires_at: NOW + 1800,
    scope: { routes: ['POST /v1/responses'], models: null },
    comment_by: 'action',
    job: { repository: 'acme/web', repository_id: '101', run_id: '7001', run_attempt: '1', check_run_id: '90001' },
    ...changes,
  }
}

export const RECEIPT: Receipt = {
  key_id: KEY_ID,
  policy: 'review',
  job: {
    issuer: 'https://token.actions.githubusercontent.com',
    repository: 'acme/web',
    repository_id: '101',
    repository_owner_id: '7',
    run_id: '7001',
    run_attempt: '1',
    check_run_id: '90001',
    ref: 'refs/heads/main',
    sha: null,
    event_name: 'push',
    workflow_ref: null,
    actor: null,
  },
  providers: ['openai'],
  activations: { limit: 25, used: 5, given_back: 0, refused: {} },
  minted_at: NOW,
  expires_at: NOW + 1800,
  first_used_at: NOW + 1,
  last_used_at: NOW + 2,
  ended_at: NOW + 3,
  end_reason: 'revoked_by_job',
  routes: [{ provider: 'openai', route: 'POST /v1/responses', activations: 5 }],
  models: { 'gpt-5-mini': 5 },
  usage: { input_tokens: null, output_tokens: null },
  audit: { events: 12, head: 'a'.repeat(64) },
}

export function accounted(changes: Partial<Receipt> = {}): object {
  return { receipt: { ...RECEIPT, ...changes }, jws: 'e30.e30.c2ln', comment_by: 'action' }
}

export function json(response: ServerResponse, status: number, body: unknown, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export function problemOf(code: string, status: number, detail: string): object {
  return { type: `https://till.example.com/errors#${code}`, title: code, status, detail, code }
}

/** What a broker does when nothing is wrong. */
const usual: Readonly<Record<string, Answerer>> = {
  'GET /.well-known/till': (_request, response, url) =>
    json(response, 200, {
      audience: url,
      version: '0.1.0',
      jwks_uri: `${url}/.well-known/jwks.json`,
      mint_endpoint: `${url}/v1/keys`,
    }),
  'POST /v1/keys': (_request, response, url) => json(response, 201, minted(url)),
  [`DELETE /v1/keys/${KEY_ID}`]: (_request, response) => json(response, 200, accounted()),
  'GET /idtoken': (request, response) => json(response, 200, { value: `e30.${audienceOf(request)}.c2ln`, count: 1 }),
}

function audienceOf(request: IncomingMessage): string {
  const aud = new URL(request.url!, 'http://runner').searchParams.get('audience')
  return Buffer.from(JSON.stringify({ aud, jti: Math.random() })).toString('base64url')
}

/** @param answers replace the usual ones, by `METHOD /path` */
export async function startFakeBroker(answers: Readonly<Record<string, Answerer>> = {}): Promise<FakeBroker> {
  const requests: FakeBroker['requests'][number][] = []
  const table: Readonly<Record<string, Answerer>> = { ...usual, ...answers }
  const server = createServer(async (request, response) => {
    const what = `${request.method} ${request.url!.split('?')[0]}`
    let body = ''
    for await (const chunk of request) body += chunk
    requests.push({ what, headers: request.headers, body })
    const answer = table[what]
    if (answer) answer(request, response, url)
    else json(response, 404, problemOf('not_found', 404, 'Nothing here'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    requests,
    get asked() {
      return requests.map(({ what }) => what).filter((what) => what !== 'GET /idtoken')
    },
    environment: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/idtoken?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'the-runners-own-bearer-token',
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
