import { expect, test } from 'vitest'
import { type Answerer, accounted, json, KEY_ID, problemOf, RECEIPT } from '#test/support/fake-broker.ts'
import { job } from './job.ts'

const DELETE = `DELETE /v1/keys/${KEY_ID}`
const GET = `GET /v1/keys/${KEY_ID}/receipt`
const unavailable: Answerer = (_, response) =>
  json(response, 503, problemOf('storage_unavailable', 503, 'The ledger cannot be written'))

async function afterMain(options: Parameters<typeof job>[0]) {
  const { broker, step } = await job(options)
  expect((await step.main()).exitCode).toBe(0)
  return { broker, step }
}

test('a failed revocation is a warning that says when the key dies by itself', async () => {
  const { broker, step } = await afterMain({ answers: { [DELETE]: unavailable } })
  const { exitCode, annotations } = await step.post()
  expect(exitCode).toBe(0)
  expect(annotations).toHaveLength(1)
  expect(annotations[0]!.level).toBe('warning')
  expect(annotations[0]!.message).toContain('(storage_unavailable)')
  expect(annotations[0]!.message).toContain(`dies by itself at ${step.outputs['expires-at']}`)
  expect(broker.asked.filter((what) => what === DELETE)).toHaveLength(2)
})

test('a broker that went away leaves the key to its expiry', async () => {
  const { broker, step } = await afterMain({})
  Object.assign(step.state, { broker: 'http://127.0.0.1:9' })
  const { exitCode, annotations } = await step.post()
  expect(exitCode).toBe(0)
  expect(annotations[0]!.message).toContain('did not answer (ECONNREFUSED)')
  expect(broker.asked).not.toContain(DELETE)
})

test('a job that lost its right to ID tokens says so', async () => {
  const { step } = await afterMain({})
  Object.assign(step.env, { ACTIONS_ID_TOKEN_REQUEST_URL: '', ACTIONS_ID_TOKEN_REQUEST_TOKEN: '' })
  const { exitCode, annotations } = await step.post()
  expect(exitCode).toBe(0)
  expect(annotations[0]!.message).toContain('id-token: write')
})

test('a revocation that is refused while the receipt shows an end is none that failed', async () => {
  const { step } = await afterMain({
    answers: {
      [DELETE]: unavailable,
      [GET]: (_, response) => json(response, 200, accounted({ end_reason: 'expired' })),
    },
  })
  const { annotations, log } = await step.post()
  expect(annotations).toEqual([])
  expect(log).toContain('key expired')
})

test('a revocation whose answer was lost is none that failed when the receipt shows it', async () => {
  const { broker, step } = await afterMain({
    answers: { [DELETE]: (request) => request.socket.destroy(), [GET]: receipt({}) },
  })
  const { annotations, log } = await step.post()
  expect(annotations).toEqual([])
  expect(log).toContain('key revoked')
  expect(step.summary).toContain('5 of 25 activations used')
  const bearers = broker.requests
    .filter(({ what }) => what === DELETE || what === GET)
    .map(({ headers }) => headers.authorization)
  expect(bearers.at(-1)).not.toBe(bearers[0])
})

test('a receipt that shows a living key does not pass for a revocation, and is told all the same', async () => {
  const { step } = await afterMain({
    answers: { [DELETE]: unavailable, [GET]: receipt({ ended_at: null, end_reason: null }) },
  })
  const { annotations, log } = await step.post()
  expect(annotations[0]!.level).toBe('warning')
  expect(log).toContain('key still alive')
  expect(step.summary).toContain('5 of 25 activations used')
})

test.each(['refused', 'exhausted', 'unrevoked'])(
  'fail-on "%s" looks at the receipt of a key that could not be ended',
  async (word) => {
    const { step } = await afterMain({
      inputs: { 'fail-on': word },
      answers: {
        [DELETE]: unavailable,
        [GET]: receipt({
          activations: { limit: 25, used: 25, given_back: 0, refused: { scope_denied: 7 } },
          ended_at: null,
          end_reason: null,
        }),
      },
    })
    const { exitCode, annotations } = await step.post()
    expect(exitCode).toBe(1)
    expect(annotations.at(-1)!.message).toContain(`(${word})`)
  },
)

test('an answer to the revocation that shows a living key does not pass for one', async () => {
  const { step } = await afterMain({ answers: { [DELETE]: receipt({ ended_at: null, end_reason: null }) } })
  const { annotations } = await step.post()
  expect(annotations.map(({ level }) => level)).toEqual(['warning'])
  expect(annotations[0]!.message).toContain('dies by itself at')
})

test('a failed revocation is told what can be done about the key, not about a mint', async () => {
  const { step } = await afterMain({ answers: { [DELETE]: unavailable } })
  const { annotations } = await step.post()
  expect(annotations[0]!.message).toContain(`\`till keys revoke ${KEY_ID}\``)
  expect(annotations[0]!.message).not.toMatch(/minted|Run the job again/)
})

test('a summary and an event that cannot be read or written leave fail-on as it is', async () => {
  const spent = { limit: 25, used: 25, given_back: 0, refused: {} }
  const { step } = await afterMain({
    inputs: { 'fail-on': 'exhausted', comment: 'always' },
    eventName: 'pull_request',
    answers: { [DELETE]: receipt({ activations: spent }) },
  })
  const gone = { GITHUB_STEP_SUMMARY: '/nowhere/summary', GITHUB_EVENT_PATH: '/nowhere/event.json' }
  const { exitCode, annotations } = await step.post({ env: gone })
  expect(exitCode).toBe(1)
  expect(annotations[0]!.message).toContain('Cannot write the receipt to the job summary')
  expect(annotations.at(-1)!.message).toContain('(exhausted)')
})

test('an exception before the revocation is a failed revocation', async () => {
  const { step } = await afterMain({ inputs: { 'fail-on': 'unrevoked' } })
  Object.assign(step.state, { broker: 'not a URL' })
  const { exitCode, annotations } = await step.post()
  expect(exitCode).toBe(1)
  expect(annotations.map(({ level }) => level)).toEqual(['warning', 'error'])
  expect(annotations[0]!.message).toContain(`Cannot revoke key ${KEY_ID}`)
})

const { activations } = RECEIPT
test.each<[string, string, Answerer, number]>([
  ['refused', 'a refused request', receipt({ activations: { ...activations, refused: { scope_denied: 2 } } }), 1],
  ['refused', 'nothing refused', receipt({}), 0],
  ['exhausted', 'a spent budget', receipt({ activations: { ...activations, used: 25 } }), 1],
  ['exhausted', 'a budget with one activation left', receipt({ activations: { ...activations, used: 24 } }), 0],
  ['unrevoked', 'a failed revocation', unavailable, 1],
  ['unrevoked', 'a revoked key', receipt({}), 0],
  ['refused exhausted unrevoked', 'nothing of all that', receipt({}), 0],
  ['exhausted, unrevoked', 'a spent budget', receipt({ activations: { ...activations, used: 25 } }), 1],
  ['', 'a spent budget', receipt({ activations: { ...activations, used: 25 } }), 0],
])('fail-on "%s" with %s', async (words, _, answer, exitCode) => {
  const { step } = await afterMain({ inputs: { 'fail-on': words }, answers: { [DELETE]: answer } })
  const post = await step.post()
  expect(post.exitCode).toBe(exitCode)
  expect(post.annotations.some(({ level }) => level === 'error')).toBe(exitCode === 1)
})

function receipt(changes: Parameters<typeof accounted>[0]): Answerer {
  return (_, response) => json(response, 200, accounted(changes))
}
