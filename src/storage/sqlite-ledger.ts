import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { LRUCache } from 'lru-cache'
import type { Ledger } from '#broker/ports.ts'
import type { AuditEvent } from '#domain/audit-event.ts'
import type { Ending, Grant } from '#domain/grant.ts'
import type { GrantEnding } from './grant-transaction.ts'
import { startCommitter } from './sqlite/committer.ts'
import { preparePrivateFile } from './sqlite/file.ts'
import { openGrantReader } from './sqlite/grant-reader.ts'
import { commitForOthers, remoteCommitter, type SharedWriter } from './sqlite/shared-writer.ts'
import { openTrail } from './sqlite/trail.ts'
import { decodeGrant, encodeGrant } from './stored-grant.ts'

/** How long a transaction of another process is waited for, before calls are rejected. Milliseconds. */
const BUSY_TIMEOUT = 5000
/** Grants that are kept in memory: what of them never changes, by the digest of their key. */
const CACHED_GRANTS = 10_000
/** For so long, so that a key which another process has forgotten becomes unknown here, too. Milliseconds. */
const CACHED_FOR = 60_000

export type { SharedWriter } from './sqlite/shared-writer.ts'

export interface SqliteLedger extends Ledger {
  /** For ledgers of other processes on the same file. */
  readonly writer: SharedWriter
}

/**
 * The ledger on SQLite. All writing is done by a worker thread, many calls to a transaction; other processes may have
 * the same file open (`till keys revoke`).
 *
 * @param options `path`: of the database file, made with its folder when it is not there; `busyTimeout`: how long a
 *   transaction of another process is waited for, in milliseconds (default 5000); `writer`: that of another process, which then commits
 *   for this one, too. Without it the ledger has a worker thread of its own
 * @throws {StorageUnavailable} with a sentence for the operator when the file cannot be opened, is readable by others,
 *   or does not take the settings that durability needs
 */
export async function openSqliteLedger(options: {
  readonly path: string
  readonly busyTimeout?: number
  readonly writer?: SharedWriter
}): Promise<SqliteLedger> {
  const path = resolve(options.path)
  preparePrivateFile(path)
  const listeners: ((endings: readonly GrantEnding[]) => void)[] = []
  const grants = new LRUCache<string, Grant>({ max: CACHED_GRANTS, ttl: CACHED_FOR })
  const tell = (endings: readonly GrantEnding[]) => {
    for (const listener of listeners) listener(endings)
  }
  const committer = options.writer
    ? remoteCommitter(options.writer)
    : await startCommitter({ path, busyTimeout: options.busyTimeout ?? BUSY_TIMEOUT }, tell)
  options.writer?.onEndings(tell)
  const { call } = committer
  const reader = openGrantReader(path)

  return {
    mint: (entry) => call('mint', { ...entry, terms: encodeGrant(entry.grant) }),
    refuseMint: (entry) => call('refuseMint', entry),
    async find(keyDigest) {
      const digest = Buffer.from(keyDigest.buffer, keyDigest.byteOffset, keyDigest.length).toString('latin1')
      const cached = grants.get(digest)
      if (cached) return cached
      const grant = decoded(reader.byKeyDigest(keyDigest))
      if (grant) grants.set(digest, grant)
      return grant
    },
    findById: async (id) => decoded(reader.byId(id)),
    state: (grant, now) => call('state', grant.id, now),
    charge: (grant, request, now) => call('charge', grant.id, request, now),
    admitFree: (grant, now) => call('admitFree', grant.id, now),
    giveBack: (grant, requestId, reason, now) => call('giveBack', grant.id, requestId, reason, now),
    record: (grant, fact, now) => committer.callPatiently('record', grant.id, fact, now),
    touch: (grantIds, now) => call('touch', grantIds, now),
    end: (grant, reason, now, operator) => call('end', grant.id, reason, now, operator),
    endJob: (job, now) => call('endJob', job, now),
    async sweep(now) {
      for (let ended = 0; ; ) {
        const part = await call('sweep', now)
        ended += part.ended
        if (part.isDone) return ended
      }
    },
    async forgetKeys(endedBefore, now) {
      for (let forgotten = 0; ; ) {
        const part = await call('forgetKeys', endedBefore, now)
        forgotten += part.forgotten
        if (part.forgotten > 0) grants.clear()
        if (part.isDone) return forgotten
      }
    },
    async *events(chain) {
      for (let after = 0; ; ) {
        const page = await call('events', chain, after)
        for (const { text, hash } of page) yield { event: JSON.parse(text) as AuditEvent, hash }
        if (page.length === 0) return
        after += page.length
      }
    },
    async list(filter) {
      return (await call('list', filter)).map(({ terms, state }) => ({ grant: decodeGrant(terms), state }))
    },
    ofRefs: async (filter) => (await call('ofRefs', filter)).map(decodeGrant),
    onEnding(listener: (grantId: string, ending: Ending) => void) {
      listeners.push((endings) => {
        for (const { id, ending } of endings) listener(id, ending)
      })
    },
    writer: {
      commit: (batch) => commitForOthers(committer, batch),
      onEndings: (listener) => void listeners.push(listener),
    },
    readRecord: (name) => call('readRecord', name),
    writeRecord: (name, value, act) => call('writeRecord', name, value, act),
    createRecord: (name, value) => call('createRecord', name, value),
    sinceCheckpoint: () => call('sinceCheckpoint'),
    writeCheckpoint: (checkpoint) => call('writeCheckpoint', checkpoint),
    checkpoints: (after, most) => call('checkpoints', after, most),
    behindCheckpoint: () => call('behindCheckpoint'),
    newEvents: (after, most) => call('newEvents', after, most),
    openTrail: async () => openTrail(path),
    check: () => call('probe'),
    async close() {
      // First, so that the writer is the last to close and SQLite copies the log into the file: a copy of the file is whole.
      reader.close()
      await committer.close()
    },
  }
}

/** Whether a ledger was made there; a file without a byte is none. What cannot be looked at is for opening to tell. */
export function isSqliteLedgerThere(path: string): boolean {
  try {
    return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0
  } catch {
    return true
  }
}

function decoded(terms: string | null): Grant | null {
  return terms === null ? null : decodeGrant(terms)
}
