import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type ActionStep, actionStep } from '#test/support/run-action.ts'
import { startTill } from '#test/support/start-till.ts'
import { type Agent, agents } from './agents.ts'
import { installAgents } from './install.ts'

/**
 * `npm run test:agents`: real coding agents through the real broker, each in a home folder of its own with the
 * environment and the files that `dist/main.js` writes for it, against the stand-in provider.
 */
const STOPS_WITHIN = 20_000
const ANSWERS_WITHIN = 60_000
const ANSWER = ['The ', 'agent ', 'heard ', 'this.']

const commands = installAgents()
const till = await startTill()
const { provider } = till
let passed = 0
let failed = 0

for (const agent of agents) {
  await check(`${agent.name}: a prompt is answered; the provider saw the credential and never the key`, async () => {
    const step = await mintFor(agent, 10)
    try {
      const { output, exitCode } = await run(agent, agent.args, step, ANSWERS_WITHIN)
      assert.equal(exitCode, 0, output)
      assert.ok(output.includes(ANSWER.join('')), `it does not show the answer:\n${output}`)
      expectOnlyTheCredential(agent, step, agent.calls)
    } finally {
      step.remove()
    }
  })

  await check(`${agent.name}: with a budget of one the second call is refused, and the person reads why`, async () => {
    const step = await mintFor(agent, 1)
    try {
      const first = await run(agent, agent.oneCallArgs, step, ANSWERS_WITHIN)
      assert.equal(first.exitCode, 0, first.output)
      const second = await run(agent, agent.oneCallArgs, step, STOPS_WITHIN)
      assert.notEqual(second.exitCode, 0, second.output)
      const sentence = `All 1 activations of key ${step.outputs['key-id']} are spent (policy "review").`
      assert.ok(second.output.includes(sentence), `it does not show the sentence:\n${second.output}`)
      expectOnlyTheCredential(agent, step, 1)
      const { receipt } = await till.receipt({ id: step.outputs['key-id']!, key: step.outputs['key']! })
      assert.deepEqual(receipt.activations, {
        limit: 1,
        used: 1,
        given_back: 0,
        refused: { activations_exhausted: 1 },
      })
    } finally {
      step.remove()
    }
  })
}

await till.close()
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

async function check(name: string, body: () => Promise<void>): Promise<void> {
  const began = performance.now()
  provider.reset()
  provider.says(...ANSWER)
  try {
    await body()
    passed++
    console.log(`✓ ${name} (${Math.round(performance.now() - began)} ms)`)
  } catch (error) {
    failed++
    console.log(`✗ ${name}\n${String(error instanceof Error ? error.message : error).replace(/^/gm, '    ')}`)
  }
}

/** A job whose `till/mint` step has run for this agent. */
async function mintFor(agent: Agent, activations: number): Promise<ActionStep> {
  const inputs = { broker: till.url, provider: agent.provider, agent: agent.name, activations: String(activations) }
  const step = actionStep({ inputs, env: till.issuer.job().environment })
  const { exitCode, log } = await step.main()
  assert.equal(exitCode, 0, log)
  return step
}

/** The agent as a following step of the job. */
async function run(agent: Agent, args: readonly string[], step: ActionStep, milliseconds: number) {
  const child = spawn(join(commands, agent.command), args, {
    cwd: join(step.home, '../work'),
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: step.home,
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      ...agent.quiet,
      ...step.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let late = false
  const timer = setTimeout(() => {
    late = true
    killGroup(child.pid!)
  }, milliseconds)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => killGroup(child.pid!))
    child.once('close', (code) => {
      if (late) reject(new Error(`it was still at work after ${milliseconds / 1000} s:\n${output}`))
      else resolve(code)
    })
  }).finally(() => clearTimeout(timer))
  // Where an agent shows the body as JSON, the quotes in it are escaped.
  return { exitCode, output: output.replaceAll('\\"', '"') }
}

/** Ends what the agent started and left behind, too: it would hold the pipes open. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function expectOnlyTheCredential(agent: Agent, step: ActionStep, calls: number): void {
  const requests = provider.received.map(({ method, target }) => `${method} ${target}`)
  assert.equal(requests.length, calls, `the provider received ${requests.join(', ')}`)
  for (const request of provider.received) {
    assert.equal(request.credential, agent.provider, `${request.method} ${request.target}: another credential`)
    const shown = request.rawHeaders.filter(([, value]) => value.includes(provider.credentials[agent.provider]))
    assert.equal(shown.length, 1, `${request.target}: the credential stands in ${shown.length} headers`)
    assert.ok(
      !JSON.stringify(request).includes(step.outputs['key']!),
      `${request.target}: the key reached the provider`,
    )
  }
}
