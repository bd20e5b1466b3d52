import { randomBytes } from 'node:crypto'
import { exportVariable, getInput, info, saveState, setFailed, setOutput } from '@actions/core'
import { discover } from '#client/discover.ts'
import { type HeldKey, mint } from '#client/mint.ts'
import { revoke } from '#client/receipt.ts'
import type { Discovery } from '#wire/discovery.ts'
import type { MintAnswer } from '#wire/mint.ts'
import type { Setting } from './agents/agent.ts'
import { agents } from './agents/agents.ts'
import { type HomeFile, homeFiles, write } from './agents/home-files.ts'
import { explain, MINT, revoking } from './explain.ts'
import { idToken } from './id-token.ts'
import { type Inputs, readInputs } from './inputs.ts'
import { mask, maskKey } from './mask.ts'
import { printable } from './printable.ts'
import { rfc3339 } from './rfc3339.ts'
import { type Begun, state } from './state.ts'
import { StepError } from './step-error.ts'
import { variablesOf } from './variables.ts'

/** Main ends within 60 s; the rest is for starting, for writing files, and for ending a key that cannot be used. */
const ALL_MILLISECONDS = 50_000
/** To end a key that cannot be used. Post tries again. */
const END_MILLISECONDS = 5_000
/** A broker that is silent here may still mint. */
const DISCOVERY_MILLISECONDS = 5_000

/** Gets a key for this job, and hands it to the following steps. */
async function main(): Promise<void> {
  const deadline = performance.now() + ALL_MILLISECONDS
  mask(getInput('github-token'))
  const inputs = readInputs()
  // Asked before there is a key, so that a file that cannot be kept costs no budget.
  const files = homeFiles(inputs.agents)

  const minted = await mintKey(inputs, deadline)
  try {
    maskKey(minted.key)
    saveState(state.keyId, minted.id)
    saveState(state.expiresAt, String(Math.floor(minted.expires_at)))
    // Before the first is written: post puts it back although the second cannot be.
    if (files.length > 0) saveState(state.files, JSON.stringify(files))
    handOver(inputs, minted, files)
  } catch (error) {
    await endAtOnce(inputs.broker, minted)
    throw error
  }

  const unit = minted.budget_unit === 'run_attempt' ? ' for all jobs of this run attempt' : ''
  info(
    `Minted key ${minted.id} under policy "${minted.policy}": ${minted.activations} activations${unit}, ` +
      `expires at ${rfc3339(minted.expires_at)}.`,
  )
}

async function mintKey(inputs: Inputs, deadline: number): Promise<MintAnswer> {
  const { broker } = inputs
  // At the same time: neither needs the other, and the audience is known without the broker.
  const [first, published] = await Promise.all([
    idToken(inputs.audience, deadline),
    discover(broker, DISCOVERY_MILLISECONDS),
  ])
  if (published.kind === 'ok') refuseOtherBroker(published.value, inputs)
  const begun: Begun = { idempotencyKey: randomBytes(24).toString('base64url'), request: inputs.request }
  // Before the broker is asked: the runner may end this process, or its disk be full, when the answer comes.
  saveState(state.broker, broker)
  saveState(state.audience, inputs.audience)
  saveState(state.begun, JSON.stringify(begun))
  const fresh = [first]
  const { answer, leftOver } = await mint({
    broker,
    idToken: async () => fresh.pop() ?? idToken(inputs.audience, deadline),
    ...begun,
    deadline,
  })
  if (answer.kind === 'ok') return answer.value
  if (leftOver === 'nothing') saveState(state.begun, '')
  else if (leftOver !== 'unknown') await endAtOnce(broker, leftOver)
  const more = leftOver === 'unknown' ? ' If the broker minted one all the same, post tries to end it.' : ''
  throw new StepError(`${explain(MINT, broker, answer)}${more}`)
}

/**
 * What the broker says of itself must be what the inputs say, before a budget is spent on it. Nothing of it is used.
 *
 * @throws {StepError}
 */
function refuseOtherBroker(published: Discovery, { broker, audience }: Inputs): void {
  const { origin } = new URL(broker)
  // The base URLs that it gives have the same origin.
  const itsOrigin = URL.parse(published.mint_endpoint)?.origin ?? ''
  if (itsOrigin !== origin)
    throw new StepError(
      `Cannot mint a key: the broker at ${broker} says that jobs reach it at ${printable(itsOrigin, 200)}, and what ` +
        `it gives them is for there. Use the broker's public_url as \`broker\`, if that is the broker you mean.`,
    )
  if (published.audience !== audience)
    throw new StepError(
      `Cannot mint a key: the broker at ${broker} expects tokens for the audience ` +
        `"${printable(published.audience, 200)}", and this step has them for "${printable(audience, 200)}". ` +
        (published.audience === origin
          ? 'Leave out the input audience.'
          : 'If that is the broker you mean, set the input audience to what it expects.'),
    )
}

/** Ends a key that the job is not to have, with the key itself. Throws nothing: what led here is what the job is told. */
async function endAtOnce(broker: string, { id, key }: HeldKey): Promise<void> {
  try {
    maskKey(key)
    const answer = await revoke({ broker, keyId: id, bearer: key, deadline: performance.now() + END_MILLISECONDS })
    if (answer.kind !== 'ok') info(`${explain(revoking(id), broker, answer)} Post tries again.`)
    else if (answer.value.receipt.ended_at !== null) info(`Key ${id} is revoked.`)
    // For post, which accounts for it; main may have come here because this cannot be written.
    saveState(state.keyId, id)
  } catch (error) {
    info(printable(String(error)))
  }
}

/** Outputs, environment and files. The key and all its forms are masked by now. */
function handOver({ request, exportEnv, agents: names }: Inputs, minted: MintAnswer, files: readonly HomeFile[]): void {
  const bases = new Map(request.providers.map((name) => [name, minted.providers[name]!.base_url]))
  setOutput('key', minted.key)
  setOutput('key-id', minted.id)
  setOutput('base-url', bases.get(request.providers[0]!))
  setOutput('base-urls', JSON.stringify(Object.fromEntries(bases)))
  setOutput('activations', String(minted.activations))
  setOutput('expires-at', rfc3339(minted.expires_at))

  const setting: Setting = { key: minted.key, bases, models: request.models ?? [] }
  if (exportEnv) {
    for (const [provider, base] of bases) exportProvider(provider, base, minted.key)
    for (const name of names)
      for (const [variable, value] of Object.entries(agents[name].variables?.(setting) ?? {}))
        exportVariable(variable, value)
  }
  const base = bases.get('openai') ?? ''
  for (const file of files) write(file, { key: minted.id, base, expires: minted.expires_at })
}

function exportProvider(provider: string, base: string, key: string): void {
  const variables = variablesOf(provider)
  if ('collides' in variables) throw new StepError(`Cannot export ${variables.collides}`)
  exportVariable(variables.key, key)
  if (variables.base !== null) exportVariable(variables.base, base)
}

try {
  await main()
} catch (error) {
  setFailed(error instanceof StepError ? error.message : `Cannot mint a key: ${printable(String(error))}`)
}
