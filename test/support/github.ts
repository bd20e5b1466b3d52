import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEmulator } from 'emulate'
import { reservePort } from './reserve-port.ts'

/** GitHub's REST API on loopback, as `emulate` has it, and the few routes beside it that `emulate` has not. */
export interface GitHub {
  readonly url: string
  /** Of a user who may write to the repository, under this login. */
  readonly user: { readonly token: string; readonly login: string }
  /** The App of the broker, installed on all of acme. */
  readonly app: { readonly id: string; readonly privateKey: string; readonly login: string }
  /** Of acme/web. */
  readonly repositoryId: string
  /** Opens a pull request of acme/web. */
  pullRequest(): Promise<number>
  comments(number: number): Promise<readonly { id: number; body: string; user: { login: string } }[]>
  /** A call as that user. */
  api(method: string, path: string, body?: object): Promise<unknown>
  /** What the API says of the jobs of a run, whatever its attempt: `GET …/attempts/{n}/jobs`. */
  readonly jobs: Map<string, readonly { id: number; status: string }[]>
  /** The pull requests of a commit: `GET …/commits/{sha}/pulls`. */
  readonly pulls: Map<string, readonly object[]>
  /** `METHOD /path` of each request, in order. */
  readonly asked: string[]
  /** What a test puts here answers before anything else; `undefined` lets the request through. */
  answer: (what: string, request: IncomingMessage) => { status: number; body?: object; headers?: object } | undefined
  close(): Promise<void>
}

const USER = { token: 'test_token_of_a_user', login: 'octocat' }
const APP_ID = 12_345

export async function startGitHub(): Promise<GitHub> {
  const { port, release } = await reservePort()
  const emulator = await createEmulator({
    service: 'github',
    port,
    seed: {
      tokens: { [USER.token]: { login: USER.login, scopes: ['repo'] } },
      github: {
        users: [{ login: USER.login }],
        orgs: [{ login: 'acme', members: [{ login: USER.login, role: 'admin' }] }],
        repos: [{ owner: 'acme', name: 'web', auto_init: true }],
        apps: [
          {
            app_id: APP_ID,
            slug: 'till-of-acme',
            name: 'Till of acme',
            permissions: {
              metadata: 'read',
              actions: 'read',
              issues: 'write',
              pull_requests: 'write',
              checks: 'write',
            },
            installations: [{ installation_id: 100, account: 'acme', repository_selection: 'all' }],
          },
        ],
      },
    },
  })
  const server = createServer((incoming, response) => {
    const what = `${incoming.method} ${incoming.url!.split('?')[0]}`
    github.asked.push(what)
    const chosen = github.answer(what, incoming) ?? beside(github, what, incoming)
    if (chosen) json(response, chosen)
    else pass(emulator.url, incoming, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const github: GitHub = {
    url,
    user: USER,
    app: {
      id: String(APP_ID),
      privateKey: emulator.generatedSecrets.find(({ kind }) => kind === 'github.app_private_key')!.value,
      login: 'till-of-acme[bot]',
    },
    repositoryId: '',
    jobs: new Map(),
    pulls: new Map(),
    asked: [],
    answer: () => undefined,
    async api(method, path, body) {
      const answer = await fetch(emulator.url + path, {
        method,
        headers: { authorization: `token ${USER.token}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      })
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
      return answer.status === 204 ? null : answer.json()
    },
    async pullRequest() {
      const head = `topic-${Math.random().toString(36).slice(2)}`
      const opened = await github.api('POST', '/repos/acme/web/pulls', { title: 'A change', head, base: 'main' })
      return (opened as { number: number }).number
    },
    comments: async (number) =>
      (await github.api('GET', `/repos/acme/web/issues/${number}/comments?per_page=100`)) as Awaited<
        ReturnType<GitHub['comments']>
      >,
    async close() {
      server.closeAllConnections()
      server.close()
      await emulator.close()
      release()
    },
  }
  const { id } = (await github.api('GET', '/repos/acme/web')) as { id: number }
  return Object.assign(github, { repositoryId: String(id) })
}

/** What `emulate` does not have. */
function beside(github: GitHub, what: string, { url, headers }: IncomingMessage) {
  const run = /^GET \/repos\/acme\/web\/actions\/runs\/(\d+)\/attempts\/\d+(\/jobs)?$/.exec(what)
  if (run) {
    const jobs = github.jobs.get(run[1]!) ?? []
    const status = jobs.every((job) => job.status === 'completed') ? 'completed' : 'in_progress'
    const page = Number(new URL(url!, 'http://github').searchParams.get('page') ?? 1)
    const shown = jobs.slice((page - 1) * 100, page * 100)
    const body = run[2] ? { total_count: jobs.length, jobs: shown } : { id: Number(run[1]), status }
    return withTag(body, headers['if-none-match'])
  }
  const commit = /^GET \/repos\/acme\/web\/commits\/([0-9a-f]+)\/pulls$/.exec(what)
  return commit ? { status: 200, body: github.pulls.get(commit[1]!) ?? [] } : undefined
}

function withTag(body: object, known: string | undefined) {
  const etag = `"${Buffer.from(JSON.stringify(body)).toString('base64url').slice(-40)}"`
  return etag === known ? { status: 304, headers: { etag } } : { status: 200, body, headers: { etag } }
}

function json(
  response: ServerResponse,
  { status, body, headers }: { status: number; body?: object; headers?: object },
) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body && JSON.stringify(body))
}

function pass(origin: string, incoming: IncomingMessage, response: ServerResponse): void {
  const { method, headers } = incoming
  const outgoing = request(origin + incoming.url!, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode!, answer.headers)
    answer.pipe(response)
  })
  outgoing.on('error', () => response.destroy())
  incoming.pipe(outgoing)
}
