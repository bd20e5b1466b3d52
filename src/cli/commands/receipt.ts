import { Command } from 'commander'
import { isConfig, readConfigFile } from '#cli/config-file.ts'
import { Failure, WrongUse } from '#cli/failure.ts'
import { parseJwkSet, readJwkSet, readText, verifierOf } from '#cli/jwk-set.ts'
import { receiptText } from '#cli/receipt-text.ts'
import { writeOut } from '#cli/standard-output.ts'
import { withLedger } from '#cli/with-ledger.ts'
import { receiptSigner } from '#crypto/receipt-signer.ts'
import { type ReceiptKeys, verifyJws } from '#crypto/verify-receipt.ts'
import { canonicalJson } from '#domain/audit-event.ts'
import type { Receipt } from '#domain/receipt.ts'
import { receipt as receiptShape } from '#wire/receipt.ts'
import { ShapeError } from '#wire/shape.ts'

/** `till receipt verify`: whether a receipt is what the broker signed. */
export function receiptCommand(): Command {
  const receipt = new Command('receipt').description('signed receipts')
  receipt
    .command('verify')
    .description('whether the broker signed this receipt, and what it says')
    .argument('<file>', 'the JWS, or the JSON answer that holds it')
    .option('--jwks <file>', "the broker's public keys, as /.well-known/jwks.json answers: works offline")
    .option('--broker <url>', 'ask this broker for its public keys (default: the keys of the ledger)')
    .option('--audit <file>', 'compare it with what `till audit export` wrote')
    .option('--json', 'print the verified receipt as JSON')
    .action(verify)
  return receipt
}

interface VerifyOptions {
  readonly jwks?: string
  readonly broker?: string
  readonly audit?: string
  readonly json?: boolean
}

async function verify(file: string, options: VerifyOptions, command: Command): Promise<void> {
  if (options.jwks !== undefined && options.broker !== undefined)
    throw new WrongUse('Cannot verify with both: give --jwks or --broker.')
  const given = readReceipt(file)
  const keys = await publicKeys(options, command)
  const read = verifyJws(given.jws, keys)
  if (read.kind === 'unverified') throw new Failure(`The receipt does not verify: ${read.reason}.`)
  const receipt = asReceipt(read.payload)
  if (given.receipt !== undefined && !isSame(given.receipt, read.payload))
    throw new Failure(
      'The receipt does not verify: the `receipt` of the file is not what its `jws` was signed over. The `jws` is true, the rest was changed.',
    )
  const lines = [`Signed by the broker (key ${read.kid}).`]
  if (options.audit !== undefined) lines.push(await againstAudit(receipt, options.audit, keys))
  await writeOut(
    options.json ? `${JSON.stringify(receipt, null, 2)}\n` : `${lines.join('\n')}\n${receiptText(receipt)}\n`,
  )
}

/** A file that holds a JWS, or an answer of the broker. */
function readReceipt(file: string): { readonly jws: string; readonly receipt?: unknown } {
  const text = readText(file).trim()
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return { jws: text }
  try {
    const answer = JSON.parse(text) as { jws?: unknown; receipt?: unknown } | null
    if (typeof answer?.jws === 'string') return { jws: answer.jws, receipt: answer.receipt }
  } catch {
    // Said below.
  }
  throw new Failure(`Cannot read ${file}: expected a compact JWS, or the JSON answer of the broker with its \`jws\`.`)
}

async function publicKeys({ jwks, broker }: VerifyOptions, command: Command): Promise<ReceiptKeys> {
  if (jwks !== undefined) return readJwkSet(jwks)
  if (broker !== undefined) return fetchJwkSet(broker)
  const file: string = command.optsWithGlobals()['config']
  if (!isConfig(readConfigFile(file, 'master_key')))
    throw new WrongUse(
      `Cannot tell whose receipt this should be: give --jwks FILE or --broker URL (there is no good ${file}).`,
    )
  return withLedger(command, async ({ ledger, seal }) => (await receiptSigner({ ledger, seal })).publicKeys())
}

const FETCH_MILLISECONDS = 10_000
/** Characters. */
const LONGEST_JWK_SET = 262_144

async function fetchJwkSet(broker: string): Promise<ReceiptKeys> {
  if (!/^(?:https:\/\/|http:\/\/(?:127\.0\.0\.1|\[::1\])(?:[:/]|$))/.test(broker) || !URL.canParse(broker))
    throw new WrongUse('Cannot ask this broker: expected an https: URL, or http: on 127.0.0.1 or [::1].')
  const cannot = (why: string) => new Failure(`Cannot get the keys of ${new URL(broker).origin}: ${why}.`)
  const url = `${broker.replace(/\/+$/, '')}/.well-known/jwks.json`
  const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_MILLISECONDS) }).catch(
    (error: Error) => {
      throw cannot((error.cause as NodeJS.ErrnoException | undefined)?.code ?? error.name)
    },
  )
  if (!answer.ok) throw cannot(`it answered ${answer.status}`)
  const text = await answer.text()
  const set = text.length > LONGEST_JWK_SET ? null : parseJwkSet(text)
  if (!set) throw cannot('it answered no JWK Set')
  return set
}

function asReceipt(payload: unknown): Receipt {
  try {
    return receiptShape(payload, '')
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error
    throw new Failure(`The broker signed this, and it is no receipt that this Till can read: ${error.message}.`)
  }
}

function isSame(one: unknown, other: unknown): boolean {
  try {
    return canonicalJson(one) === canonicalJson(other)
  } catch {
    return false
  }
}

/** The receipt is of this moment of the chain: its last event is there, and adds up to what it says. */
async function againstAudit(receipt: Receipt, file: string, keys: ReceiptKeys): Promise<string> {
  const { openExport, receiptOfChain } = await import('#serve.ts')
  const verifier = verifierOf(keys)
  const trail = await openExport(file, verifier).catch((error: NodeJS.ErrnoException) => {
    throw new Failure(`Cannot read ${file} (${error.code ?? error.name}).`)
  })
  const fault = await receiptOfChain(trail, receipt)
  if (fault !== null) throw new Failure(`The receipt is signed, and the export does not bear it out: ${fault}.`)
  return `Its ${receipt.audit.events} events are in ${file}, and add up to it.`
}
