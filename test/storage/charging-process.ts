/**
 * A process that charges until it is killed or the budget is spent, and tells each activation only when the ledger has
 * acknowledged it: `charging-process.ts PATH GRANT_ID`.
 */
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, T0 } from '#test/contract/mint-entry.ts'

const WAITING = 16
const [path, grantId] = process.argv.slice(2)
const ledger = await openSqliteLedger({ path: path! })
const grant = await ledger.findById(grantId!)
if (!grant) throw new Error('no such grant')

await Promise.all(
  Array.from({ length: WAITING }, async (_, client) => {
    for (let i = 0; ; i++) {
      const request = aRequest(`p${process.pid}_${client}_${i}`)
      if ((await ledger.charge(grant, request, T0 + 1)).kind === 'refused') return
      process.stdout.write(`${request.requestId}\n`)
    }
  }),
)
await ledger.close()
