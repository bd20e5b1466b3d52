import type { startBroker } from './serve/start-broker.ts'

export { exportChain, exportTrail } from '#audit/export-trail.ts'
export { operatorLog } from '#audit/log.ts'
export { checkpointOf, makeCheckpoint } from '#audit/make-checkpoint.ts'
export { openExport } from '#audit/open-export.ts'
export { receiptOfChain } from '#audit/receipt-of-chain.ts'
export { type TrailReport, type VerifySignature, verifyTrail } from '#audit/verify-trail.ts'
export type { AuditTrail, GrantRow, Ledger, Log } from '#broker/ports.ts'
export { type OpenLedger, openLedger, openLedgerThatIsThere } from './serve/open-ledger.ts'
export { keepProcessPrivate } from './serve/process-checks.ts'
export type { Broker } from './serve/start-broker.ts'
export { StartError } from './serve/start-error.ts'
export { tuneV8 } from './serve/tune-v8.ts'

/** {@link startBroker}, loaded only now: most commands of the operator open a ledger, and would wait for all of a broker. */
export const serve: typeof startBroker = async (config, tools) => {
  const { startBroker } = await import('./serve/start-broker.ts')
  return startBroker(config, tools)
}
