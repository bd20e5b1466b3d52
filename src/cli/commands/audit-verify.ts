import type { Command } from 'commander'
import { Failure } from '#cli/failure.ts'
import { readJwkSet, readText, verifierOf } from '#cli/jwk-set.ts'
import { writeOut } from '#cli/standard-output.ts'
import { instant } from '#cli/text.ts'
import { withLedger } from '#cli/with-ledger.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import type { ChainFault } from '#domain/audit-chain.ts'
import { recordable } from '#domain/audit-event.ts'
import type { OpenLedger, TrailReport, VerifySignature } from '#serve.ts'

interface VerifyOptions {
  readonly key?: string
  readonly export?: string
  readonly checkpoint?: string
  readonly jwks?: string
  readonly json?: boolean
}

/** Status 0 when everything is as it was recorded, 1 when anything is not. */
export async function auditVerify(options: VerifyOptions, command: Command): Promise<void> {
  const start = performance.now()
  const report = await verify(options, command)
  const seconds = (performance.now() - start) / 1000
  await writeOut(options.json ? `${JSON.stringify({ ...report, seconds }, null, 2)}\n` : reportText(report, seconds))
  if (report.faults.length > 0) process.exitCode = 1
}

async function verify(options: VerifyOptions, command: Command): Promise<TrailReport> {
  const { jwks } = options
  if (options.export !== undefined && jwks !== undefined)
    return verifyExport(options.export, verifierOf(readJwkSet(jwks)), options)
  return withLedger(command, async (opened) => {
    const signatures = jwks === undefined ? await ownVerifier(opened) : verifierOf(readJwkSet(jwks))
    return options.export === undefined
      ? verifyStore(opened, signatures, options)
      : verifyExport(options.export, signatures, options)
  })
}

async function ownVerifier({ ledger, seal }: OpenLedger): Promise<VerifySignature> {
  return verifierOf((await receiptSigner({ ledger, seal })).publicKeys())
}

async function verifyStore(
  { ledger }: OpenLedger,
  signatures: VerifySignature,
  { key, checkpoint }: VerifyOptions,
): Promise<TrailReport> {
  if (key !== undefined && !(await ledger.findById(key)))
    throw new Failure(`Cannot verify key ${key}: this ledger has none with that id.`)
  const known = await knownCheckpoints(checkpoint)
  const { verifyTrail } = await import('#serve.ts')
  const trail = await ledger.openTrail()
  try {
    return await verifyTrail(trail, signatures, { known, ...(key && { chain: key }) })
  } finally {
    await trail.close()
  }
}

async function verifyExport(
  file: string,
  signatures: VerifySignature,
  { key, checkpoint }: VerifyOptions,
): Promise<TrailReport> {
  const known = await knownCheckpoints(checkpoint)
  const { openExport, verifyTrail } = await import('#serve.ts')
  try {
    const trail = await openExport(file, signatures)
    const options = { known, isCopy: true, ...(key && { chain: key }) }
    const report = await verifyTrail(trail, signatures, options)
    return { ...report, faults: [...trail.faults, ...report.faults] }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw code === undefined ? error : new Failure(`Cannot read ${file} (${code}).`)
  }
}

/**
 * The lines of a file of checkpoints. One that holds something else besides was changed, and is for the verifier to judge.
 *
 * @throws {Failure} when there is no checkpoint in it: it is another file
 */
async function knownCheckpoints(file: string | undefined): Promise<string[]> {
  if (file === undefined) return []
  const { checkpointOf } = await import('#serve.ts')
  const lines = readText(file)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (lines.some((line) => checkpointOf(line) !== null)) return lines
  throw new Failure(`Cannot use ${file}: expected checkpoints, one JWS a line, as the broker ships them.`)
}

function reportText(report: TrailReport, seconds: number): string {
  const { events, chains, faults, faultyChains, unwitnessed, checkpoints, lastCheckpoint } = report
  const what = `${count(events, 'event')} in ${count(chains, 'chain')}`
  const took = `${seconds.toFixed(1)} s`
  if (faults.length > 0) {
    const more = faultyChains > faults.length ? [`  … and ${faultyChains - faults.length} more chains.`] : []
    return [`NOT as recorded: ${what}, read in ${took}.`, ...faults.map(faultLines), ...more, ''].join('\n')
  }
  const lines = [`Verified ${what} in ${took}: none was changed, removed or moved.`]
  if (lastCheckpoint)
    lines.push(
      `${count(checkpoints, 'checkpoint')} ${checkpoints === 1 ? 'is' : 'are'} signed and linked, the last of ${instant(lastCheckpoint.at)}.`,
    )
  if (unwitnessed > 0)
    lines.push(
      lastCheckpoint
        ? `${count(unwitnessed, 'event')} came after it: the links hold, but nothing that is signed vouches for them before the next checkpoint.`
        : 'There is no checkpoint yet, so a tail that was cut off together with its rows would not show.',
    )
  return `${lines.join('\n')}\n`
}

function faultLines({ kind, chain, seq, expected, found }: ChainFault): string {
  return [
    `  ${kind}: ${recordable(chain)}, event ${seq}`,
    `    expected ${expected}`,
    `    found    ${recordable(found)}`,
  ].join('\n')
}

const count = (number: number, one: string) => `${number.toLocaleString('en')} ${one}${number === 1 ? '' : 's'}`
