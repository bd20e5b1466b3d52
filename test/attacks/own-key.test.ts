import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { startTill, type Till } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'

let till: Till
afterEach(() => till.close())

function use({ key }: MintAnswer, path: string, body?: object): Promise<Response> {
  return till.fetch(`/proxy/openai${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
}

/** What the broker keeps on disk, write-ahead log included. */
function stored(): string {
  const folder = dirname(till.database)
  return readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), 'latin1'))
    .join('\n')
}

test('P10, T43: a job that names its key as the model has it on no record, in no receipt and in no sentence', async () => {
  till = await startTill()
  const minted = await till.mint()
  expect((await use(minted, '/v1/responses', { model: minted.key, input: 'x' })).status).toBe(200)
  const narrow = await till.mint({ models: ['gpt-5-mini'], job: till.issuer.job() })
  const refused = await use(narrow, '/v1/responses', { model: `a ${minted.key} b`, input: 'x' })
  expect(refused.status).toBe(403)
  expect(await refused.text()).not.toContain(minted.key)

  const { receipt, jws } = await till.receipt(minted)
  expect(receipt.models).toEqual({ '[key]': 1 })
  expect(JSON.stringify(receipt) + Buffer.from(jws.split('.')[1]!, 'base64url')).not.toContain(minted.key)
  expect(stored()).not.toContain(minted.key)
})

test("P10, T43: a path that holds another job's key is refused, and not written down", async () => {
  till = await startTill()
  const minted = await till.mint()
  const other = await till.mint({ job: till.issuer.job() })
  const refused = await use(minted, `/v1/${other.key}`)
  expect(refused.status).toBe(403)
  expect(await refused.text()).not.toContain(other.key)
  await till.receipt(minted)
  expect(stored()).not.toContain(other.key)
})

test('T15: only a key is looked for in the target: a text that is none is just an unknown key', async () => {
  till = await startTill()
  const response = await till.fetch('/proxy/openai/v1/models', { headers: { 'x-api-key': 'v1' } })
  expect(response.headers.get('till-error')).toBe('key_invalid')
})
