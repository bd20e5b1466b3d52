/** Revokes a grant from a process of its own, as `till keys revoke` does: `revoking-process.ts PATH GRANT_ID`. */
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { T0 } from '#test/contract/mint-entry.ts'

const [path, grantId] = process.argv.slice(2)
const ledger = await openSqliteLedger({ path: path! })
const grant = await ledger.findById(grantId!)
if (!grant) throw new Error('no such grant')
await ledger.end(grant, 'revoked_by_operator', T0 + 1, 'ada')
await ledger.close()
