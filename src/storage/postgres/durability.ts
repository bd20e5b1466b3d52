import { StorageUnavailable } from '#broker/ports.ts'
import type { Database, Session } from './session.ts'

/** The oldest major version of which the tests have a successor, and the first with `string_to_table` and xid8 everywhere. */
const OLDEST_VERSION = 14

/**
 * Sees to it that a commit of this session is on disk when it is acknowledged, here and wherever a failover may lead.
 *
 * @param processId the server process that the connection says it leads to
 * @throws {StorageUnavailable} with a sentence for the operator
 */
export async function assertDurable(session: Session, database: Database, processId: number): Promise<void> {
  // `remote_apply` promises more than `on`; all else less.
  await session.query(
    `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') <> 'remote_apply'`,
  )
  const [found] = (await session.query(FACTS)) as unknown as Facts[]
  const problem = found ? problemOf(found, database, processId) : 'the server does not tell its settings'
  if (problem) throw new StorageUnavailable(`Cannot open the ledger: ${problem}`)
}

interface Facts {
  readonly version: number
  readonly pid: number
  readonly is_standby: boolean
  readonly encoding: string
  readonly fsync: string
  readonly full_page_writes: string
  readonly synchronous_commit: string
  readonly synchronous_standbys: string
  readonly standbys: number
}

// Without pg_monitor the state of a standby is NULL. Readers of logical replication take over for nobody.
const FACTS = `
  SELECT current_setting('server_version_num')::integer / 10000 AS version, pg_backend_pid() AS pid,
    pg_is_in_recovery() AS is_standby, current_setting('server_encoding') AS encoding,
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS synchronous_standbys,
    (SELECT count(*) FROM pg_stat_replication
      WHERE (state IS NULL OR state IN ('streaming', 'catchup'))
        AND pid NOT IN (SELECT active_pid FROM pg_replication_slots
          WHERE slot_type = 'logical' AND active_pid IS NOT NULL)) AS standbys`

function problemOf(found: Facts, database: Database, processId: number): string | null {
  if (found.version < OLDEST_VERSION)
    return `expected PostgreSQL ${OLDEST_VERSION} or newer, got ${found.version}. Update the server.`
  if (found.pid !== processId)
    return 'a connection pooler stands between Till and PostgreSQL, and settings of a session do not hold there. Name the server itself in storage:.'
  if (found.is_standby)
    return 'the server is a standby, which cannot be written. Name the primary in storage:, or add target_session_attrs.'
  if (found.encoding !== 'UTF8') return `expected a database in UTF8, got ${found.encoding}. Create one in UTF8.`
  if (found.fsync !== 'on' || found.full_page_writes !== 'on')
    return 'the server runs with fsync or full_page_writes off, so a crash of its machine loses what it acknowledged. Set both on.'
  if (found.synchronous_commit !== 'on' && found.synchronous_commit !== 'remote_apply')
    return `expected synchronous_commit to be on, got ${found.synchronous_commit}.`
  if (found.standbys > 0 && found.synchronous_standbys === '' && !database.acceptAsynchronousStandbys)
    return (
      'the server has a standby that follows asynchronously, so a failover can forget activations that were spent. ' +
      'Set synchronous_standby_names, or accept it with storage_risk: accept_asynchronous_standbys.'
    )
  return null
}
