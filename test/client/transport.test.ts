import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startFakeBroker } from '#test/support/fake-broker.ts'
import { actionStep } from '#test/support/run-action.ts'

/** A proxy that records what it is asked to connect to, and refuses. */
async function startProxy() {
  const connected: string[] = []
  const proxy = createServer((request, response) => {
    connected.push(`${request.method} ${request.url}`)
    response.writeHead(502).end()
  })
  proxy.on('connect', (request, socket) => {
    connected.push(`CONNECT ${request.url}`)
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => void proxy.close())
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, connected }
}

async function mainWith(broker: string, env: Record<string, string>) {
  const service = await startFakeBroker()
  const step = actionStep({
    inputs: { broker: broker === '' ? service.url : broker, provider: 'openai' },
    env: { ...service.environment, ...env },
  })
  onTestFinished(async () => {
    step.remove()
    await service.close()
  })
  return step.main()
}

test('https_proxy is where connections to the broker are asked for', async () => {
  const { url, connected } = await startProxy()
  const { exitCode } = await mainWith('https://till.invalid', { https_proxy: url })
  expect(exitCode).toBe(1)
  expect(new Set(connected)).toEqual(new Set(['CONNECT till.invalid:443']))
})

test('no_proxy is heeded', async () => {
  const { url, connected } = await startProxy()
  await mainWith('https://till.invalid', { https_proxy: url, no_proxy: 'till.invalid' })
  expect(connected).toEqual([])
})

test('a broker on loopback is never asked through a proxy', async () => {
  const { url, connected } = await startProxy()
  const { exitCode } = await mainWith('', { http_proxy: url, https_proxy: url, HTTP_PROXY: url, HTTPS_PROXY: url })
  expect(exitCode).toBe(0)
  expect(connected).toEqual([])
})
