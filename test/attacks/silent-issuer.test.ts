import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { beside, brokers, mintAt } from '#test/serve/brokers.ts'

const running = brokers()
afterEach(() => running.close())

test('T11, G11: a fetch from an issuer that says nothing ends when the broker stops, and who waits for it is answered', async () => {
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => void sockets.add(socket.on('error', () => {})))
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  running.also(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const till = await running.till()
  const issuer = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const { broker, url } = await running.start(beside(till, (file) => Object.assign(file, { issuers: [issuer] })))
  const headers = { authorization: `Bearer ${await till.issuer.job().token({ aud: till.url, iss: issuer })}` }
  const waiting = fetch(`${url}/v1/keys`, { method: 'POST', headers, body: '{"providers":["openai"]}' })
  // The other broker knows its issuer's keys all the while: one that is silent holds nobody else up.
  expect((await mintAt(till.url, till)).status).toBe(201)
  await broker.close(10_000)
  expect((await waiting).status).toBe(503)
})
