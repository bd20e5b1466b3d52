import { expect, test } from 'vitest'
import { KEY_ID } from '#test/support/fake-broker.ts'
import { job } from './job.ts'

const silence = () => {}

// The deadlines are the contract's, waited for in real time, all at once.
test('main ends within 60 s and post within 15 s, however silent broker and token service are', {
  timeout: 90_000,
}, async () => {
  const [minting, revoking, asking] = [
    await job({ answers: { 'GET /.well-known/till': silence, 'POST /v1/keys': silence } }),
    await job({ answers: { [`DELETE /v1/keys/${KEY_ID}`]: silence } }),
    await job({ answers: { 'GET /idtoken': silence } }),
  ]
  await revoking.step.main()
  const [minted, revoked, asked] = await Promise.all([minting.step.main(), revoking.step.post(), asking.step.main()])

  expect(minted.exitCode).toBe(1)
  expect(minted.annotations[0]!.message).toContain('did not answer (no answer within 10 s)')
  expect(minting.broker.asked).toEqual(['GET /.well-known/till', 'POST /v1/keys', 'POST /v1/keys'])
  expect(minted.milliseconds).toBeLessThan(60_000)

  expect(revoked.exitCode).toBe(0)
  expect(revoked.annotations.map(({ level }) => level)).toEqual(['warning'])
  expect(revoked.milliseconds).toBeLessThan(15_000)

  expect(asked.exitCode).toBe(1)
  expect(asked.annotations[0]!.message).toContain("GitHub's token service did not give one")
  expect(asked.milliseconds).toBeLessThan(60_000)
})
