import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { openSqliteLedger, type SharedWriter } from '#storage/sqlite-ledger.ts'
import { ledgerContract } from './ledger-contract.ts'

ledgerContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'till-ledger-'))
  return {
    open: () => openSqliteLedger({ path: join(folder, 'till.db') }),
    remove: () => rm(folder, { recursive: true }),
  }
})

ledgerContract("SQLite, through another process's writer", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'till-ledger-'))
  return {
    async open() {
      const path = join(folder, 'till.db')
      const primary = await openSqliteLedger({ path })
      const ledger = await openSqliteLedger({ path, writer: acrossProcesses(primary.writer) })
      const close = () => ledger.close().then(() => primary.close())
      return { ...ledger, close }
    },
    remove: () => rm(folder, { recursive: true }),
  }
})

/** Everything is cloned on its way, as messages between processes are. */
function acrossProcesses(writer: SharedWriter): SharedWriter {
  const sent = <T>(value: T): T => deserialize(serialize(value))
  return {
    commit: async (calls) => sent(await writer.commit(sent(calls))),
    onEndings: (listener) => writer.onEndings((endings) => listener(sent(endings))),
  }
}
