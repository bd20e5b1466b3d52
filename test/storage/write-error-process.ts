/** Charges until the ledger fails, then tries again: `write-error-process.ts PATH`. Prints what came of it. */
import { openSqliteLedger } from '#storage/sqlite-ledger.ts'
import { aRequest, minted, T0 } from '#test/contract/mint-entry.ts'

const ledger = await openSqliteLedger({ path: process.argv[2]! })
const grant = await minted(ledger, { limit: 1_000_000 })
const nameOf = (error: Error) => error.name
let acknowledged = 0
let failure: string | null = null
while (failure === null)
  await Promise.all(
    Array.from({ length: 50 }, () =>
      ledger.charge(grant, aRequest(), T0).then(
        () => acknowledged++,
        (error) => (failure = nameOf(error)),
      ),
    ),
  )
const later = await Promise.all([ledger.check().catch(nameOf), ledger.charge(grant, aRequest(), T0).catch(nameOf)])
await ledger.close()
console.log(JSON.stringify({ acknowledged, failure, later, grantId: grant.id }))
