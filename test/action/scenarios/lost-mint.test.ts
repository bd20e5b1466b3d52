import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Answerer, accounted, json, KEY, KEY_ID, minted, RECEIPT } from '#test/support/fake-broker.ts'
import { actionStep } from '#test/support/run-action.ts'
import { startTill } from '#test/support/start-till.ts'
import { job } from './job.ts'

// A key that main did not get to hand over is ended: by main where it can read it, and else by post.

const MINT = 'POST /v1/keys'
const DELETE = `DELETE /v1/keys/${KEY_ID}`
const lost: Answerer = (request) => request.socket.destroy()
const silent: Answerer = () => {}
const given: Answerer = (_, response, url) => json(response, 201, minted(url))
/** One answer after the other; the last for all that follow. */
const inTurn = (...answers: Answerer[]): Answerer => {
  let asked = 0
  return (...call) => answers[Math.min(asked++, answers.length - 1)]!(...call)
}
const bearersOf = ({ requests }: Awaited<ReturnType<typeof job>>['broker'], wanted: string) =>
  requests.filter(({ what }) => what === wanted).map(({ headers }) => headers.authorization)

test('a main that is cancelled while it waits for its key leaves what post needs to end it', async () => {
  const asked = Promise.withResolvers<void>()
  const { broker, step } = await job({
    answers: {
      [MINT]: inTurn(() => asked.resolve(), given),
    },
  })
  expect((await step.main({ cancelled: asked.promise })).exitCode).toBeNull()
  expect(JSON.stringify(step.state)).not.toContain(KEY)

  const { exitCode, log, annotations } = await step.post()
  expect([exitCode, annotations]).toEqual([0, []])
  expect(log).toContain('Main began a mint and did not learn what became of it')
  expect(step.masks).toContain(KEY)
  const [first, again] = broker.requests.filter(({ what }) => what === MINT)
  expect(again!.headers['idempotency-key']).toBe(first!.headers['idempotency-key'])
  expect(again!.headers.authorization).not.toBe(first!.headers.authorization)
  expect(again!.body).toBe(first!.body)
  expect(bearersOf(broker, DELETE)).toEqual([`Bearer ${KEY}`])
})

test('with a real broker: the key whose answer was lost is over after post', async () => {
  const till = await startTill()
  const caller = till.issuer.job()
  const step = actionStep({ inputs: { broker: till.url, provider: 'openai' }, env: caller.environment })
  onTestFinished(async () => {
    step.remove()
    await till.close()
  })
  const idempotencyKey = 'sixteen-characters'
  const key = await till.mint({ job: caller, idempotencyKey, providers: ['openai'] })
  const begun = JSON.stringify({ idempotencyKey, request: { providers: ['openai'] } })
  Object.assign(step.state, { broker: till.url, audience: till.url, begun })
  const { annotations, log } = await step.post()
  expect(annotations).toEqual([])
  expect(log).toContain('0 of 25 activations used · 0 refused · key revoked')
  expect((await till.receipt(key)).receipt.end_reason).toBe('reissued')
})

test.each<[string, Record<string, string>, RegExp]>([
  ['the time that was asked for', { 'expires-in': '30m' }, /dies by itself at \d{4}-\d\d-\d\dT[\d:]{8}Z at the latest/],
  ["the policy's time", {}, /dies by itself when its time is over, which the policy sets/],
])('where it cannot be ended, post says so, and that it dies after %s', async (_, inputs, when) => {
  const { broker, step } = await job({ inputs: { 'fail-on': 'unrevoked', ...inputs }, answers: { [MINT]: lost } })
  const main = await step.main()
  expect(main.exitCode).toBe(1)
  expect(main.annotations[0]!.message).toContain('post tries to end it')
  expect(broker.asked.filter((what) => what === MINT)).toHaveLength(2)
  const { exitCode, log, annotations } = await step.post()
  expect(annotations.map(({ level }) => level)).toEqual(['warning', 'error'])
  expect(annotations[0]!.message).toContain('Main began a mint and did not learn what became of it')
  expect(annotations[0]!.message).toMatch(when)
  expect(exitCode).toBe(1)
  expect(log).not.toContain('minted no key')
})

test('a silent broker keeps post no longer than 15 s from saying so', async () => {
  const asked = Promise.withResolvers<void>()
  const { step } = await job({ answers: { [MINT]: inTurn(() => asked.resolve(), silent) } })
  await step.main({ cancelled: asked.promise })
  const { annotations, milliseconds } = await step.post()
  expect(annotations).toHaveLength(1)
  expect(milliseconds).toBeLessThan(15_000)
})

test('where nothing can be kept for post, no key is asked for', async () => {
  const { broker, step } = await job()
  const { exitCode, annotations } = await step.main({ env: { GITHUB_STATE: '/dev/full' } })
  expect(exitCode).toBe(1)
  expect(annotations[0]!.message).toContain('ENOSPC')
  expect(broker.asked).not.toContain(MINT)
})

test('a key whose id cannot be kept for post is ended at once, with the key itself', async () => {
  let file = ''
  const { broker, step } = await job({
    answers: {
      [MINT]: (...call) => {
        rmSync(file)
        given(...call)
      },
    },
  })
  file = join(step.home, 'state')
  writeFileSync(file, '')
  const { exitCode, annotations } = await step.main({ env: { GITHUB_STATE: file } })
  expect(exitCode).toBe(1)
  expect(annotations).toHaveLength(1)
  expect(step.outputs).toEqual({})
  expect(bearersOf(broker, DELETE)).toEqual([`Bearer ${KEY}`])
})

test.each<[string, object]>([
  ['of another origin', { providers: { openai: { base_url: 'https://elsewhere.example/v1' } } }],
  ['not of the contract', { comment_by: 'nobody' }],
])('a key whose answer is %s is masked and ended at once, and post accounts for it', async (_, changes) => {
  const { broker, step } = await job({
    answers: { [MINT]: (_request, response, url) => json(response, 201, minted(url, changes)) },
  })
  const { exitCode, annotations, log } = await step.main()
  expect(exitCode).toBe(1)
  expect(annotations).toHaveLength(1)
  expect(log).toContain(`Key ${KEY_ID} is revoked.`)
  expect(step.masks).toContain(KEY)
  expect(step.outputs).toEqual({})
  expect(bearersOf(broker, DELETE)).toEqual([`Bearer ${KEY}`])
  const post = await step.post()
  expect(post.annotations).toEqual([])
  expect(step.summary).toContain('5 of 25 activations used')
})

test('a key that could not be ended at once is ended by post', async () => {
  const refusing: Answerer = (_, response) => response.writeHead(503).end()
  const { step } = await job({
    answers: {
      [MINT]: (_, response, url) => json(response, 201, minted(url, { providers: {} })),
      [DELETE]: inTurn(refusing, refusing, (_, response) => json(response, 200, accounted(RECEIPT))),
    },
  })
  const main = await step.main()
  expect(main.annotations).toHaveLength(1)
  expect(main.log).toContain('Post tries again.')
  expect((await step.post()).annotations).toEqual([])
})
