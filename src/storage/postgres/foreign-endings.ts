import { LRUCache } from 'lru-cache'
import type { EndReason } from '#domain/grant.ts'
import type { GrantEnding } from '#storage/grant-transaction.ts'
import { ENDINGS_CHANNEL, parseEnding } from './ending-text.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** How often to look for endings whose notification was lost. Milliseconds. */
const POLL = 2000
/** Endings that are remembered, so that each is told once. */
const REMEMBERED = 100_000

/** Tells of endings, each once: of those of this process at once, of those of others when they are heard of. */
export interface EndingWatch {
  tell(endings: readonly GrantEnding[]): void
  stop(): void
}

/**
 * Listens for what other replicas notify, and looks every two seconds for what was missed: a notification reaches only
 * who is connected.
 *
 * @param since what `transactionsNow` said before anything could end
 */
export function watchEndings(
  sessions: Sessions,
  since: string,
  listener: (endings: readonly GrantEnding[]) => void,
): EndingWatch {
  const told = new LRUCache<string, true>({ max: REMEMBERED })
  const listening = new WeakSet<Session>()
  let settledBefore = since
  let isPolling = false

  function tell(endings: readonly GrantEnding[]): void {
    const news = endings.filter(({ id }) => !told.has(id))
    for (const { id } of news) told.set(id, true)
    if (news.length > 0) listener(news)
  }

  async function poll(): Promise<void> {
    if (isPolling) return
    isPolling = true
    try {
      await sessions.use(async (session) => {
        if (!listening.has(session)) {
          await session.script(`LISTEN ${ENDINGS_CHANNEL}`)
          // What was notified before this line is found below: it was committed by then.
          session.onNotification((payload) => {
            const ending = parseEnding(payload)
            if (ending) tell([ending])
          })
          listening.add(session)
        }
        const next = await transactionsNow(session)
        tell(await endingsSince(session, settledBefore))
        settledBefore = next
      })
    } catch {
      // The next poll looks back as far.
    } finally {
      isPolling = false
    }
  }

  void poll()
  const timer = setInterval(poll, POLL)
  return { tell, stop: () => clearInterval(timer) }
}

/** The oldest transaction that has not ended: every older one is settled, whatever order they commit in. */
export async function transactionsNow(session: Session): Promise<string> {
  const [row] = await session.query('SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest')
  return String(row?.['oldest'])
}

async function endingsSince(session: Session, settledBefore: string): Promise<GrantEnding[]> {
  // In a database that was restored elsewhere, transactions of its former life are in the future.
  const rows = await session.query(
    `SELECT id, ended_at, end_reason FROM grant_states JOIN grants ON no = grant_no
      WHERE ended_at IS NOT NULL AND ended_in >= $1::xid8 AND ended_in < pg_snapshot_xmax(pg_current_snapshot())`,
    [settledBefore],
  )
  return rows.map((row) => ({
    id: String(row['id']),
    ending: { at: Number(row['ended_at']), reason: String(row['end_reason']) as EndReason },
  }))
}
