import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startFakeBroker } from '#test/support/fake-broker.ts'
import { actionStep } from '#test/support/run-action.ts'

/** A proxy that records what it is asked to connect to, and refuses. */
async function startProxy() {
  const connected: string[] = []
  const authorized: (string | undefined)[] = []
  const proxy = createServer((request, response) => {
    connected.push(`${request.method} ${request.url}`)
    response.writeHead(502).end()
  })
  proxy.on('connect', (request, socket) => {
    connected.push(`CONNECT ${request.url}`)
    authorized.push(request.headers['proxy-authorization'])
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => void proxy.close())
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, connected, authorized }
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

test.each([
  ['without a scheme', (port: string) => `127.0.0.1:${port}`],
  ['by a name, without a scheme', (port: string) => `localhost:${port}`],
])('a proxy %s is asked over http', async (_, proxy) => {
  const { url, connected } = await startProxy()
  await mainWith('https://till.invalid', { HTTPS_PROXY: proxy(new URL(url).port) })
  expect(new Set(connected)).toEqual(new Set(['CONNECT till.invalid:443']))
})

test('no_proxy names a domain with all hosts in it', async () => {
  const { url, connected } = await startProxy()
  await mainWith('https://till.corp.invalid', { HTTPS_PROXY: url, NO_PROXY: 'corp.invalid' })
  expect(connected).toEqual([])
})

test('a proxy gets the user name and the password as they are meant', async () => {
  const { url, authorized } = await startProxy()
  await mainWith('https://till.invalid', { HTTPS_PROXY: url.replace('//', '//ci:a%2Fb%40c@') })
  expect(new Set(authorized)).toEqual(new Set([`Basic ${btoa('ci:a/b@c')}`]))
})

test.each([
  ['http://ci:Hunter2/secret@proxy.example.com:3128', 'HTTPS_PROXY is not the URL of a proxy'],
  ['http://ci:Hunter2%zz@proxy.example.com:3128', 'HTTPS_PROXY is not the URL of a proxy'],
  ['socks5://ci:Hunter2@127.0.0.1:1080', 'HTTPS_PROXY names a SOCKS proxy'],
])('what a proxy variable holds is not repeated: %s', async (proxy, why) => {
  const { exitCode, raw, annotations } = await mainWith('https://till.invalid', { HTTPS_PROXY: proxy })
  expect(exitCode).toBe(1)
  expect(annotations.map(({ message }) => message).join()).toContain(why)
  expect(raw).not.toContain('Hunter2')
})

test('a variable that became wrong before post leaves a warning without its value', async () => {
  const service = await startFakeBroker()
  const step = actionStep({ inputs: { broker: service.url, provider: 'openai' }, env: service.environment })
  onTestFinished(async () => {
    step.remove()
    await service.close()
  })
  await step.main()
  Object.assign(step.state, { broker: 'https://till.invalid' })
  Object.assign(step.env, { HTTPS_PROXY: 'http://ci:Hunter2/secret@proxy.example.com:3128' })
  const { exitCode, raw, annotations } = await step.post()
  expect([exitCode, annotations.length]).toEqual([0, 1])
  expect(annotations[0]!.message).toContain('HTTPS_PROXY is not the URL of a proxy')
  expect(raw).not.toContain('Hunter2')
})

test('a broker on loopback is never asked through a proxy', async () => {
  const { url, connected } = await startProxy()
  const { exitCode } = await mainWith('', { http_proxy: url, https_proxy: url, HTTP_PROXY: url, HTTPS_PROXY: url })
  expect(exitCode).toBe(0)
  expect(connected).toEqual([])
})
