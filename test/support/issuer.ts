import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { OAuth2Server } from 'oauth2-mock-server'

/** A stand-in for GitHub's OIDC issuer: real discovery, a real JWK Set, tokens that are really signed. */
export interface Issuer {
  /** What stands in `issuers:` and in the claim `iss`. */
  readonly url: string
  /** A new job: its own `check_run_id`, everything else as in {@link CLAIMS}. */
  job(claims?: ClaimOverrides): FakeJob
  /** A fresh ID token (new `jti`, five minutes) of a job that is used once. */
  token(claims?: ClaimOverrides): Promise<string>
  close(): Promise<void>
}

/** What a job of GitHub Actions has of OpenID Connect. */
export interface FakeJob {
  readonly claims: Readonly<Record<string, unknown>>
  /** A fresh ID token of this job. */
  token(claims?: ClaimOverrides): Promise<string>
  /** What the runner sets for a job with `id-token: write`: `core.getIDToken` works unchanged. */
  readonly environment: {
    readonly ACTIONS_ID_TOKEN_REQUEST_URL: string
    readonly ACTIONS_ID_TOKEN_REQUEST_TOKEN: string
  }
}

/** `undefined` removes a claim. */
export type ClaimOverrides = Readonly<Record<string, unknown>>

/** The claims of a push to the main branch of acme/web, as GitHub.com writes them. */
export const CLAIMS = {
  sub: 'repo:acme/web:ref:refs/heads/main',
  aud: 'https://github.com/acme',
  repository: 'acme/web',
  repository_id: '101',
  repository_owner: 'acme',
  repository_owner_id: '11',
  repository_visibility: 'private',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  ref_protected: 'true',
  sha: 'c0ffee0000000000000000000000000000000001',
  workflow: 'Review',
  workflow_ref: 'acme/web/.github/workflows/review.yml@refs/heads/main',
  workflow_sha: 'c0ffee0000000000000000000000000000000001',
  job_workflow_ref: 'acme/web/.github/workflows/review.yml@refs/heads/main',
  job_workflow_sha: 'c0ffee0000000000000000000000000000000001',
  event_name: 'push',
  run_id: '7001',
  run_number: '42',
  run_attempt: '1',
  runner_environment: 'github-hosted',
  actor: 'octocat',
  actor_id: '583231',
  base_ref: '',
  head_ref: '',
} as const

const LIFE_SECONDS = 300

/** @param options `trailingSlash`: whether `iss` ends in one; GitHub's does not */
export async function startIssuer(options: { readonly trailingSlash?: boolean } = {}): Promise<Issuer> {
  const server = new OAuth2Server(undefined, undefined, {
    shouldIssuerUrlBeSuffixedWithATralingSlash: options.trailingSlash ?? false,
  })
  await server.issuer.keys.generate('RS256')
  await server.start(0, '127.0.0.1')
  const origin = `http://127.0.0.1:${server.address().port}`
  server.issuer.url = origin
  const url = server.issuer.url
  let jobs = 0

  const sign = (claims: ClaimOverrides): Promise<string> =>
    server.issuer.buildToken({
      expiresIn: LIFE_SECONDS,
      scopesOrTransform: (_header, payload) => {
        payload.nbf = payload.iat
        Object.assign(payload, { jti: randomUUID() }, claims)
        for (const [name, value] of Object.entries(payload)) if (value === undefined) delete payload[name]
      },
    })

  const job = (overrides: ClaimOverrides = {}): FakeJob => {
    const number = ++jobs
    const claims = { ...CLAIMS, check_run_id: String(90_000 + number), ...overrides }
    const requestToken = randomBytes(24).toString('base64url')
    server.service.addRoute('GET', `/runner/${number}/idtoken`, (request, response) =>
      answerRunner(request, response, requestToken, (aud) => sign({ ...claims, ...aud })),
    )
    return {
      claims,
      token: (more = {}) => sign({ ...claims, ...more }),
      environment: {
        ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/runner/${number}/idtoken?api-version=2.0`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
      },
    }
  }

  return { url, job, token: (claims = {}) => job().token(claims), close: () => server.stop() }
}

/** The runner's service: gives the job an ID token for the audience it names, if it shows the job's bearer token. */
async function answerRunner(
  request: IncomingMessage,
  response: ServerResponse,
  requestToken: string,
  sign: (aud: ClaimOverrides) => Promise<string>,
): Promise<void> {
  if (request.headers.authorization !== `Bearer ${requestToken}`) {
    response.writeHead(401).end()
    return
  }
  const audience = new URL(request.url!, 'http://runner').searchParams.get('audience')
  const value = await sign(audience === null ? {} : { aud: audience })
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ value, count: 1 }))
}
