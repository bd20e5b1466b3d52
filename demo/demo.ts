import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { startGitHub } from '#test/support/github.ts'
import { actionStep } from '#test/support/run-action.ts'
import { startTill } from '#test/support/start-till.ts'
import { narrator } from './narrator.ts'

/**
 * One CI job on this machine, from an ID token to a dead key and a receipt. Everything is real but the parties that a
 * laptop has not: GitHub's issuer, GitHub's REST API and the provider. With `--live` and `OPENAI_API_KEY` the provider is real too.
 */
const live = process.argv.includes('--live')
const liveCredential = process.env['OPENAI_API_KEY']
if (live && !liveCredential) {
  console.error('Cannot run the demo with --live: OPENAI_API_KEY is not set. It is what the broker shows to OpenAI.')
  process.exit(2)
}
const ACTIVATIONS = 3
const { chapter, say, quote, claim, end } = narrator('One CI job, from an ID token to a dead key and a receipt.')

chapter('A broker, which holds the credential')
const till = await startTill({
  policies: [
    {
      name: 'review',
      repository_id: '101',
      claims: { event_name: 'pull_request' },
      providers: ['openai'],
      activations: ACTIVATIONS,
      routes: ['POST /v1/responses'],
      models: ['gpt-5-*'],
    },
  ],
  ...(live && {
    providers: { openai: { credential: 'env:OPENAI_API_KEY' } },
    env: { OPENAI_API_KEY: liveCredential! },
  }),
})
const github = await startGitHub()
const number = await github.pullRequest()
const credential = live ? liveCredential! : till.provider.credentials.openai
till.provider.says('It ', 'says ', 'what ', 'the ', 'change ', 'is ', 'for.')
say(
  `The broker listens on ${till.url}. Its ledger is a SQLite file.`,
  live ? 'The provider is OpenAI.' : `The provider is a stand-in on ${till.provider.url}; it knows one credential.`,
  `The issuer of ID tokens is a stand-in for GitHub's on ${till.issuer.url}; its tokens are signed.`,
  `GitHub's REST API is emulated on ${github.url}; pull request ${number} of acme/web is open there.`,
  `The policy "review" gives jobs of acme/web that a pull request started ${ACTIVATIONS} activations of`,
  'POST /v1/responses with models gpt-5-*.',
)

chapter('A job starts: `uses: till/mint@v1` runs dist/main.js')
const job = till.issuer.job({ event_name: 'pull_request', ref: `refs/pull/${number}/merge` })
const step = actionStep({
  inputs: { broker: till.url, provider: 'openai', 'github-token': github.user.token },
  env: { ...job.environment, GITHUB_API_URL: github.url },
  eventName: 'pull_request',
  event: { pull_request: { number } },
})
const main = await step.main()
quote(main.log)
const key = step.outputs['key'] ?? ''
claim('The step passed.', main.exitCode === 0, main.exitCode)
claim(
  'It exported OPENAI_API_KEY, which is the key of this job, and OPENAI_BASE_URL.',
  key !== '' && step.env['OPENAI_API_KEY'] === key && step.env['OPENAI_BASE_URL'] === `${till.url}/proxy/openai/v1`,
  Object.keys(step.env),
)
claim('The log masks the key.', step.masks.includes(key) && !main.log.includes(key))

chapter('The next step is an agent: the official OpenAI SDK, which asks until it is refused')
const agent = await runAgent({ ...step.env })
claim(
  `It got ${ACTIVATIONS} answers, and then the sentence of the broker.`,
  agent.exitCode === 1 &&
    agent.output.includes(`All ${ACTIVATIONS} activations of key ${step.outputs['key-id']} are spent`),
  agent,
)
if (!live) {
  const { received } = till.provider
  claim(`The provider received ${ACTIVATIONS} requests.`, received.length === ACTIVATIONS, received.length)
  claim(
    'Each had the real credential and none the key of the job.',
    received.every((request) => request.credential === 'openai' && !JSON.stringify(request).includes(key)),
  )
  claim(
    'Each streamed answer arrived whole.',
    agent.output.split('It says what the change is for.').length === ACTIVATIONS + 1,
  )
}

chapter('The job ends: dist/post.js')
const post = await step.post()
quote(post.log)
claim('The step passed.', post.exitCode === 0, post.exitCode)
const refused = await till.fetch('/proxy/openai/v1/responses', {
  method: 'POST',
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  body: '{"model":"gpt-5-mini","input":"Still there?"}',
})
claim('The provider cannot be called with the key any more.', refused.status === 410, refused.status)
const self = await till.fetch('/v1/keys/self', { headers: { authorization: `Bearer ${key}` } })
claim('The key is dead.', self.status === 401, self.status)

chapter('The receipt, as the job summary shows it')
quote(step.summary.replace(/<details>[\s\S]*/, ''))
const jws = /```\n(\S+)\n```/.exec(step.summary)?.[1] ?? ''
const keys = createRemoteJWKSet(new URL(`${till.url}/.well-known/jwks.json`))
const signed = await jwtVerify(jws, keys).catch((error: unknown) => ({ payload: { error: String(error) } }))
claim('Its signature verifies with the public keys of the broker.', 'key_id' in signed.payload, signed.payload)
claim(
  `It says that ${ACTIVATIONS} of ${ACTIVATIONS} activations were used and one request was refused.`,
  step.summary.includes(`${ACTIVATIONS} of ${ACTIVATIONS} activations used · 1 refused`),
)

chapter(`The comment on pull request ${number}`)
const [comment, ...more] = await github.comments(number)
quote(comment?.body.replace(/<!-- \S+ (\S+ )?-->\n|<details>[\s\S]*/g, '') ?? '')
claim(
  'There is one, and its first line is the verdict.',
  more.length === 0 && comment?.body.includes(`### Till: ${ACTIVATIONS} of ${ACTIVATIONS} activations used`) === true,
  comment,
)

chapter('What the job could see')
const seen = new Map([
  ['its environment', JSON.stringify({ ...job.environment, ...step.env })],
  ['its outputs', JSON.stringify(step.outputs)],
  ['what main kept for post', JSON.stringify(step.state)],
  ['its log', main.raw + agent.output + post.raw],
  ['its summary', step.summary],
  ['the comment', comment?.body ?? ''],
  ['its files', filesIn(join(step.home, '..'))],
  ['the answers to a dead key', await textOf(refused, self)],
])
const forms = [
  credential,
  ...(['base64', 'base64url', 'hex'] as const).map((form) => Buffer.from(credential).toString(form)),
]
const bytes = [...seen.values()].reduce((sum, text) => sum + text.length, 0)
const leaks = [...seen].filter(([, text]) => forms.some((form) => text.includes(form))).map(([place]) => place)
say(`Looked through ${[...seen.keys()].join(', ')}: ${bytes} characters.`)
claim('The credential of the provider is nowhere in it.', leaks.length === 0, leaks)

step.remove()
await till.close()
await github.close()
process.exitCode = end()

/** A following step of the job: its own process, the environment that the action exported, and nothing of ours. */
async function runAgent(env: Record<string, string>): Promise<{ exitCode: number | null; output: string }> {
  const agent = spawn(process.execPath, [join(import.meta.dirname, 'agent.ts')], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let line = ''
  for (const stream of [agent.stdout, agent.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      line += text
      const at = line.lastIndexOf('\n')
      if (at >= 0) quote(line.slice(0, at))
      line = line.slice(at + 1)
    })
  const exitCode = await new Promise<number | null>((resolve) => agent.once('close', resolve))
  return { exitCode, output }
}

/** Heads and bodies of answers, in one text. */
async function textOf(...answers: Response[]): Promise<string> {
  const texts = answers.map(async (answer) => JSON.stringify([...answer.headers]) + (await answer.text()))
  return (await Promise.all(texts)).join('\n')
}

/** Everything below a folder, in one text. */
function filesIn(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')
}
