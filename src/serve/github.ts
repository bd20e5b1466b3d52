import type { Clock, Ledger, Log, WebhookReceiver } from '#broker/ports.ts'
import type { Config } from '#config.ts'
import type { Job } from '#domain/job-identity.ts'
import { githubApp } from '#github/app.ts'
import { issuersOf, serverUrl } from '#github/issuers.ts'
import { attemptIsOver, jobPoll, POLL_MILLISECONDS } from '#github/poll-jobs.ts'
import { reporter } from '#github/reporter.ts'
import { webhook } from '#github/webhook.ts'
import { every } from './every.ts'

/** What the broker learns from GitHub and tells it: endings of jobs, and what became of their keys. */
export interface GitHubLink {
  readonly webhook: WebhookReceiver
  readonly commentBy: (job: Job) => 'broker' | 'action'
  stop(): Promise<void>
}

/**
 * @param config as it is now. The webhook's secret may change while the broker runs; the App is that of the start
 */
export function startGitHub(world: {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly log: Log
  readonly config: () => Config
}): GitHubLink {
  const { ledger, clock, log, config } = world
  const { github } = config()
  const issuers = () => config().issuers
  const settings = () => config().github
  if (github === null || github.appId === null || github.privateKey === null) {
    const receive = webhook({ ledger, clock, log, settings, issuers, attemptIsOver: async () => null })
    return { webhook: receive, commentBy: () => 'action', stop: async () => {} }
  }

  const { appId, privateKey, apiUrl } = github
  const app = githubApp({ appId, privateKey, apiUrl, clock })
  const serves = (issuer: string) => issuersOf(apiUrl, issuers()).some(({ url }) => url === issuer)
  const report = reporter({ ledger, app, clock, log, serves, serverUrl: serverUrl(apiUrl) })
  ledger.onEnding((id, { reason }) => reason !== 'reissued' && report.keyEnded(id))
  report.catchUp().catch(() => log.error('report.failed'))
  const stopPolling = every(POLL_MILLISECONDS, jobPoll({ ledger, app, clock, log, serves }), () =>
    log.error('github.poll_failed'),
  )
  return {
    // An attempt that cannot be asked for now is left to the poll.
    webhook: webhook({
      ledger,
      clock,
      log,
      settings,
      issuers,
      attemptIsOver: (job) => attemptIsOver(app, job).catch(() => false),
    }),
    commentBy: report.commentBy,
    async stop() {
      stopPolling()
      await report.stop()
    },
  }
}
