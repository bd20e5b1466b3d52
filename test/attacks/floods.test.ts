import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatKey } from '#domain/key.ts'
import { bytesOf, openRaw, type RawConnection } from '#test/support/raw-client.ts'
import { type SpawnedTill, spawnTill } from '#test/support/start-till.ts'
import type { MintAnswer } from '#wire/mint.ts'

/** Against a broker of its own process, so that what is counted is the broker's. */
let till: SpawnedTill
let minted: MintAnswer
beforeAll(async () => {
  till = await spawnTill()
  minted = await till.mint()
})
afterAll(() => till.close())
const port = () => Number(new URL(till.url).port)

/** A request of a key that may. */
const good = async () => {
  const answer = await till.fetch('/proxy/openai/v1/models', { headers: { authorization: `Bearer ${minted.key}` } })
  await answer.text()
  return answer.status
}
const many = (count: number, what: string): Promise<RawConnection[]> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const connection = await openRaw(port())
      connection.write(what)
      return connection
    }),
  )

test('T56: 1000 slow heads and 1000 idle connections hold up nobody, and the slow ones are closed', async () => {
  const slow = await many(1000, 'GET /proxy/openai/v1/models HTTP/1.1\r\nhost: till\r\nx-slow: ')
  const idle = await many(1000, 'GET /healthz HTTP/1.1\r\nhost: till\r\n\r\n')
  expect(await good()).toBe(200)
  await Promise.all(slow.map(({ closed }) => closed))
  expect(idle.every(({ socket }) => !socket.closed)).toBe(true)
  expect(await good()).toBe(200)
  for (const connection of idle) connection.close()
})

test('T34, T56: 10,000 keys that are none are refused, leave nothing behind, and hold up nobody', async () => {
  const connections = await many(20, '')
  const each = 500
  await Promise.all(
    connections.map(async (connection) => {
      for (let n = 0; n < each; n += 50) {
        const keys = Array.from({ length: 50 }, () => formatKey(randomBytes(32)))
        connection.write(keys.map((key) => bytesOf('GET /proxy/openai/v1/models', [`x-api-key: ${key}`])).join(''))
        for (const _key of keys) expect((await connection.answer()).status).toBe(403)
      }
      connection.close()
    }),
  )
  expect(await good()).toBe(200)
  expect(till.log.length).toBeLessThan(50)
})

test('T56: 1000 tokens that are none are refused, and the log tells of them in few lines', async () => {
  const parts = ['{"alg":"RS256","typ":"JWT","kid":"x"}', JSON.stringify({ iss: till.issuer.url }), 'x'.repeat(256)]
  const token = parts.map((part) => Buffer.from(part).toString('base64url')).join('.')
  const [connection] = await many(1, '')
  for (let n = 0; n < 1000; n += 50) {
    connection!.write(
      bytesOf('POST /v1/keys', [`authorization: Bearer ${token}`], '{"providers":["openai"]}').repeat(50),
    )
    for (let i = 0; i < 50; i++) expect((await connection!.answer()).status).toBe(401)
  }
  connection!.close()
  expect(await good()).toBe(200)
  expect(till.log.length).toBeLessThan(100)
})

test('T56: 1000 pipelined requests are answered, each by its own answer', async () => {
  const connection = await openRaw(port())
  const path = (n: number) => `/proxy/openai/v1/nothing-${n}`
  connection.write(
    Array.from({ length: 1000 }, (_, n) => bytesOf(`GET ${path(n)}`, [`x-api-key: ${minted.key}`])).join(''),
  )
  for (let n = 0; n < 1000; n++) {
    const answer = await connection.answer()
    expect([answer.status, answer.json().error.message.includes(`nothing-${n} `)]).toEqual([403, true])
  }
  connection.close()
})

test.skipIf(process.platform !== 'linux')('T56: descriptors of a flood are closed (needs /proc)', async () => {
  const pid = readdirSync('/proc').find((name) => {
    try {
      return /^[0-9]+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(till.file)
    } catch {
      return false
    }
  })
  const open = () => readdirSync(`/proc/${pid}/fd`).length
  const before = open()
  const flood = await many(500, 'nonsense')
  for (const connection of flood) connection.close()
  // It closes them when it hears of it; without that this never ends.
  while (open() > before + 10) await new Promise((resolve) => setTimeout(resolve, 20))
})

test('T56: a broker stops although a thousand connections are held open', async () => {
  const connections = await many(1000, '')
  expect(await till.kill('SIGTERM')).toBe(0)
  for (const connection of connections) connection.close()
  await till.start()
})
