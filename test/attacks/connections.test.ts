import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { openRaw, raw } from '#test/support/raw-client.ts'
import { startTill, type Till } from '#test/support/start-till.ts'

let till: Till
const open: Socket[] = []
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy()
  await till.close()
})
const port = () => Number(new URL(till.url).port)

/** A client that never closes its half of a connection. */
async function stubborn(): Promise<Socket> {
  const socket = connect({ port: port(), host: '127.0.0.1', allowHalfOpen: true })
  open.push(socket)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

const UPGRADE = 'host: till\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'

test('T22, T56: a refused upgrade whose client never closes is closed by the broker', async () => {
  till = await startTill()
  const socket = await stubborn()
  socket.write(`GET /proxy/openai/v1/realtime HTTP/1.1\r\n${UPGRADE}`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  expect(head.toString('latin1')).toMatch(/^HTTP\/1\.1 426 /)
  await once(socket.resume(), 'end')
  // Only a closed connection answers what is written after its end by a reset.
  const reset = new Promise((resolve) => socket.once('error', resolve))
  const writing = setInterval(() => socket.write('x'), 50)
  await reset
  clearInterval(writing)
})

test('T22: a broker stops although clients hold refused upgrades open', async () => {
  till = await startTill()
  const socket = await stubborn()
  socket.write(`GET /proxy/openai/v1/realtime HTTP/1.1\r\n${UPGRADE}`)
  await once(socket, 'data')
  await till.close()
  till = await startTill()
})

test('T19: an upgrade of the control plane is passed over, as RFC 9110 lets a server do, and the request answered', async () => {
  till = await startTill()
  const answer = await raw(port(), 'GET /healthz HTTP/1.1\r\nhost: till\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n')
  expect(answer.status).toBe(200)
  expect(answer.headers['content-type']).toBe('application/json')
})

test('T56: requests that were pipelined and answered leave nothing behind on their connection', async () => {
  till = await startTill()
  const connection = await openRaw(port())
  const request = 'GET /proxy/openai/v1/models HTTP/1.1\r\nhost: till\r\n\r\n'
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  // More of them than an emitter takes of listeners before it warns that it leaks.
  connection.write(request.repeat(40))
  for (let n = 0; n < 40; n++) expect((await connection.answer()).status).toBe(403)
  process.off('warning', note)
  expect(warnings.map(({ message }) => message)).toEqual([])
  connection.close()
})
