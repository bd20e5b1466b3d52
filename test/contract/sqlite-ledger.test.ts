import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { ledgerContract } from './ledger-contract.ts'

ledgerContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'till-ledger-'))
  return {
    open: () => openSqliteLedger({ path: join(folder, 'till.db') }),
    remove: () => rm(folder, { recursive: true }),
  }
})
