import { Command, Option } from 'commander'
import { Failure } from '#cli/failure.ts'
import { keyId } from '#cli/key-id.ts'
import { operator } from '#cli/operator.ts'
import { receiptText } from '#cli/receipt-text.ts'
import { writeOut } from '#cli/standard-output.ts'
import { columns, instant } from '#cli/text.ts'
import { withLedger } from '#cli/with-ledger.ts'
import { type EndReason, type Grant, isUnclosed, naturalEnd } from '#domain/grant.ts'
import { receiptOf } from '#domain/receipt.ts'
import type { GrantRow, Ledger } from '#serve.ts'

/** `till keys list|show|revoke`: opens the ledger itself, beside a running broker or without one. */
export function keysCommand(): Command {
  const keys = new Command('keys').description('list, show and revoke keys')
  keys
    .command('list')
    .description('the keys that are alive, newest first')
    .addOption(new Option('--all', 'those that have ended as well').conflicts('unclosed'))
    .option('--unclosed', 'those that have ended without their post step: with the job, by time, or for idleness')
    .option('--json', 'print a JSON array')
    .action((options: ListOptions, command: Command) => print(command, (ledger) => list(ledger, options)))
  keys
    .command('show')
    .description('the receipt of a key, alive or ended')
    .argument('<id>', 'the id of the key, k_…', keyId)
    .option('--json', 'print the receipt as JSON')
    .action((id: string, options: JsonOption, command: Command) =>
      print(command, (ledger) => show(ledger, id, options)),
    )
  keys
    .command('revoke')
    .description('end a key; a running broker refuses it and cuts its open streams')
    .argument('<id>', 'the id of the key, k_…', keyId)
    .action((id: string, _, command: Command) => print(command, (ledger) => revoke(ledger, id)))
  return keys
}

interface JsonOption {
  readonly json?: boolean
}
interface ListOptions extends JsonOption {
  readonly all?: boolean
  readonly unclosed?: boolean
}

function print(command: Command, act: (ledger: Ledger) => Promise<string>): Promise<void> {
  return withLedger(command, async ({ ledger }) => {
    await writeOut(`${await act(ledger)}\n`)
  })
}

/** `--unclosed` looks at that many keys, the newest. */
const MOST_LOOKED_AT = 10_000

async function list(ledger: Ledger, options: ListOptions): Promise<string> {
  const at = now()
  const rows = (await selected(ledger, options, at)).map((row) => keyRow(row, at))
  const shown = options.unclosed ? rows.filter(({ end_reason }) => isUnclosed(end_reason)) : rows
  if (options.json) return JSON.stringify(shown, null, 2)
  if (shown.length === 0) return nothing(options)
  const head = ['id', 'policy', 'repository', 'used', 'state', 'minted', 'expires', 'ended']
  return columns([
    head,
    ...shown.map((row) => [
      row.id,
      row.policy,
      row.repository,
      `${row.activations.used}/${row.activations.limit}`,
      row.state,
      instant(row.minted_at),
      instant(row.expires_at),
      row.ended_at === null ? '' : instant(row.ended_at),
    ]),
  ])
}

function selected(ledger: Ledger, { all, unclosed }: ListOptions, at: number): Promise<readonly GrantRow[]> {
  // Not only what has ended on record: a key whose time came while no broker ran has ended as well.
  if (unclosed) return ledger.list({ now: at, most: MOST_LOOKED_AT })
  return ledger.list(all ? { now: at } : { alive: true, now: at })
}

function nothing({ all, unclosed }: ListOptions): string {
  if (unclosed)
    return 'Every key that has ended was closed by its post step, by an operator, or by its last activation.'
  return all ? 'There are no keys.' : 'No key is alive; --all shows those that have ended.'
}

/** A key as `--json` shows it, in the words of the HTTP API. */
function keyRow({ grant, state }: GrantRow, at: number) {
  const ended = state.ended ?? naturalEnd(grant, state, at)
  const reason: EndReason | null = ended?.reason ?? null
  return {
    id: grant.id,
    policy: grant.policy,
    state: reason ?? 'active',
    repository: grant.job.repository,
    repository_id: grant.job.repositoryId,
    run_id: grant.job.runId,
    run_attempt: grant.job.runAttempt,
    check_run_id: grant.job.checkRunId,
    activations: { limit: grant.limit, used: state.used, remaining: Math.max(0, grant.limit - state.used) },
    minted_at: Math.floor(grant.mintedAt),
    expires_at: Math.floor(grant.expiresAt),
    ended_at: ended ? Math.floor(ended.at) : null,
    end_reason: reason,
  }
}

async function show(ledger: Ledger, id: string, { json }: JsonOption): Promise<string> {
  const grant = await found(ledger, id)
  // Puts an expiry on record that has come and that no broker has seen yet.
  await ledger.state(grant, now())
  const account = receiptOf()
  for await (const { event, hash } of ledger.events(id)) account.add(event, hash)
  const receipt = account.receipt()
  return json ? JSON.stringify(receipt, null, 2) : receiptText(receipt)
}

async function revoke(ledger: Ledger, id: string): Promise<string> {
  const grant = await found(ledger, id)
  const at = now()
  const { ended } = await ledger.state(grant, at)
  if (ended) return `Key ${id} had ended already: ${ended.reason} at ${instant(ended.at)}.`
  const { reason } = await ledger.end(grant, 'revoked_by_operator', at, operator())
  return `Key ${id} is revoked (${reason}). A running broker refuses it within 5 seconds.`
}

async function found(ledger: Ledger, id: string): Promise<Grant> {
  const grant = await ledger.findById(id)
  if (grant) return grant
  throw new Failure(
    `Cannot find key ${id}: this ledger has none with that id. \`till keys list --all\` shows what it has.`,
  )
}

const now = () => Date.now() / 1000
