/**
 * Opens a ledger and charges, whatever the disk does: `faulty-disk-process.ts PATH GRANT_ID CHARGES ACKNOWLEDGED`.
 * Writes what was acknowledged to a file, one id a line, and prints the name of each call's failure, in their order.
 */
import { appendFileSync } from 'node:fs'
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, T0 } from '#test/contract/mint-entry.ts'

const [path, grantId, charges, acknowledged] = process.argv.slice(2)
const outcomes: string[] = []
try {
  const ledger = await openSqliteLedger({ path: path!, busyTimeout: 200 })
  const grant = (await ledger.findById(grantId!))!
  for (let i = 0; i < Number(charges); i++) {
    const request = aRequest()
    try {
      await ledger.charge(grant, request, T0)
      appendFileSync(acknowledged!, `${request.requestId}\n`)
      outcomes.push('acknowledged')
    } catch (error) {
      outcomes.push((error as Error).name)
    }
  }
  await ledger.close()
} catch (error) {
  outcomes.push((error as Error).name)
}
console.log(JSON.stringify(outcomes))
