import { DatabaseSync } from 'node:sqlite'
import { StorageUnavailable } from '#broker/ports.ts'

/**
 * Reads what of grants never changes, on a connection of its own: nobody waits for a commit, and a million keys need not
 * be held in memory. It sees what is on disk: a transaction becomes visible when it was flushed.
 */
export interface GrantReader {
  /** The stored text of the grant with this key digest; `null`: there is none. @throws {StorageUnavailable} */
  byKeyDigest(keyDigest: Uint8Array): string | null
  /** @throws {StorageUnavailable} */
  byId(id: string): string | null
  close(): void
}

export function openGrantReader(path: string): GrantReader {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
  const byKeyDigest = database.prepare('SELECT terms FROM grants WHERE key_digest = ?')
  const byId = database.prepare('SELECT terms FROM grants WHERE id = ?')

  function read(row: () => Record<string, unknown> | undefined): string | null {
    try {
      const found = row()
      return found ? String(found['terms']) : null
    } catch (cause) {
      throw new StorageUnavailable('Cannot use the ledger: a grant cannot be read.', { cause })
    }
  }

  return {
    byKeyDigest: (keyDigest) => read(() => byKeyDigest.get(keyDigest)),
    byId: (id) => read(() => byId.get(id)),
    close() {
      if (database.isOpen) database.close()
    },
  }
}
