import { createAppAuth } from '@octokit/auth-app'
import { Octokit } from '@octokit/rest'
import { LRUCache } from 'lru-cache'
import type { Clock } from '#broker/ports.ts'
import { statusOf } from '#comment/keep-comment.ts'
import type { Request } from '#comment/request.ts'
import { conditional } from './conditional.ts'
import { type HoldOff, holdOff } from './hold-off.ts'
import { fetchWithinOrigin } from './same-origin.ts'

/** The operator's GitHub App. */
export interface App {
  readonly id: number
  /**
   * Requests to one repository, as the App. The token behind them is good for the repository with this id and for no
   * other: a name that was taken over since reaches nothing.
   *
   * @returns `null` when the App is not installed there
   */
  requestsTo(repository: Repository): Promise<Request | null>
  /** Whether requests to it can be made, as far as that is known by now; `null`: not looked up yet. */
  isInstalled(repository: Repository): boolean | null
  /** The login that its comments have. */
  login(): Promise<string>
}

export interface Repository {
  readonly repositoryId: string
  /** `owner/name`. */
  readonly repository: string
}

export interface AppOptions {
  readonly appId: string
  /** PEM. */
  readonly privateKey: string
  /** Such as `https://api.github.com`, or `https://ghes.example.com/api/v3`. */
  readonly apiUrl: string
  readonly clock: Clock
}

/** One request gets that long. Milliseconds. */
const REQUEST_MILLISECONDS = 10_000
/** How long an installation that was found, or was not, is taken for granted. Milliseconds. */
const INSTALLED_FOR = 3_600_000
const ABSENT_FOR = 300_000
const KNOWN_REPOSITORIES = 10_000

export function githubApp({ appId, privateKey, apiUrl, clock }: AppOptions): App {
  const quiet = { debug() {}, info() {}, warn() {}, error() {} }
  const octokit = new Octokit({ baseUrl: apiUrl, userAgent: 'till', log: quiet, request: { fetch: fetchWithinOrigin } })
  const auth = createAppAuth({ appId, privateKey, request: octokit.request, log: quiet })
  const known = new LRUCache<string, { readonly request: Request | null }>({ max: KNOWN_REPOSITORIES })
  const holds = new Map<number, HoldOff>()
  /** What is under way, so that a matrix which starts at once asks once. */
  const looking = new Map<string, Promise<Request | null>>()
  let ownLogin: string | null = null

  const send = async (route: string, parameters: object, token: string) =>
    octokit.request(route, {
      ...parameters,
      headers: { ...(parameters as { headers?: object }).headers, authorization: `bearer ${token}` },
      request: { signal: AbortSignal.timeout(REQUEST_MILLISECONDS) },
    })
  const asApp: Request = async (route, parameters = {}) => send(route, parameters, (await auth({ type: 'app' })).token)

  const asInstallation = (installationId: number, repositoryId: string): Request => {
    const hold = holds.get(installationId) ?? holdOff()
    holds.set(installationId, hold)
    return conditional(async (route, parameters = {}) => {
      hold.check(clock())
      try {
        const { token } = await auth({ type: 'installation', installationId, repositoryIds: [Number(repositoryId)] })
        const answer = await send(route, parameters, token)
        hold.note(answer.status, answer.headers, clock())
        return answer
      } catch (error) {
        const { status, response } = error as { status?: number; response?: { headers?: Record<string, unknown> } }
        hold.note(status ?? 0, response?.headers ?? {}, clock())
        // The App may have been removed, or put in again, since this was looked up.
        if (status === 401 || (status === 404 && route.startsWith('GET '))) known.delete(repositoryId)
        throw error
      }
    })
  }

  const look = async ({ repositoryId, repository }: Repository): Promise<Request | null> => {
    const [owner, repo] = repository.split('/')
    try {
      const { data } = await asApp('GET /repos/{owner}/{repo}/installation', { owner, repo })
      const request = asInstallation(data.id, repositoryId)
      known.set(repositoryId, { request }, { ttl: INSTALLED_FOR })
      return request
    } catch (error) {
      if (statusOf(error) !== 404) throw error
      known.set(repositoryId, { request: null }, { ttl: ABSENT_FOR })
      return null
    }
  }

  return {
    id: Number(appId),
    requestsTo(repository) {
      const id = repository.repositoryId
      const found = known.get(id)
      if (found) return Promise.resolve(found.request)
      const underWay = looking.get(id) ?? look(repository).finally(() => looking.delete(id))
      looking.set(id, underWay)
      return underWay
    },
    isInstalled({ repositoryId }) {
      const found = known.peek(repositoryId)
      return found ? found.request !== null : null
    },
    async login() {
      if (ownLogin === null) {
        const { data } = await asApp('GET /app')
        if (typeof data.slug !== 'string') throw new TypeError('expected the slug of the App')
        ownLogin = `${data.slug}[bot]`
      }
      return ownLogin
    },
  }
}
