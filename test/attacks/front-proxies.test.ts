import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PlaneUnderTest, startPlane } from '#test/proxy/plane.ts'
import { bytesOf } from '#test/support/raw-client.ts'
import { type ReservedPort, reservePort } from '#test/support/reserve-port.ts'

const tls = join(import.meta.dirname, '../support/tls')
const [certificate, key] = [join(tls, 'certificate.pem'), join(tls, 'key.pem')]

/** How each is started with its example, whose ports, names and certificate are the test's. */
const fronts: Readonly<Record<string, (folder: string, port: number, broker: number) => readonly string[]>> = {
  nginx(folder, port, broker) {
    const example = readFileSync('examples/nginx.conf', 'utf8')
      .replace('listen 443', `listen 127.0.0.1:${port}`)
      .replace('/etc/ssl/till.crt', certificate)
      .replace('/etc/ssl/till.key', key)
      .replaceAll('127.0.0.1:4100', `127.0.0.1:${broker}`)
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    )
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;\nevents {}\nhttp { access_log off; ${paths.join(' ')}\n${example}}\n`,
    )
    return ['-p', folder, '-c', join(folder, 'nginx.conf')]
  },
  caddy(folder, port, broker) {
    const example = readFileSync('examples/Caddyfile', 'utf8')
      .replace('till.example.com {', `https://localhost:${port} {\n\ttls ${certificate} ${key}`)
      .replaceAll('127.0.0.1:4100', `127.0.0.1:${broker}`)
    // Not HTTP/3: the UDP port is what keeps the TCP port reserved.
    const options = ['admin off', 'auto_https disable_redirects', 'servers {', 'protocols h1 h2', '}']
    writeFileSync(join(folder, 'Caddyfile'), `{\n${options.join('\n')}\n}\n${example}`)
    return ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile']
  },
}

const known = Object.keys(fronts).map((name) => {
  const isInstalled = spawnSync(name, [name === 'nginx' ? '-v' : 'version']).error === undefined
  return { name, isInstalled, how: isInstalled ? '' : ' (needs it installed)' }
})

describe.each(known)('T14, T19: $name with its example in front of the broker$how', ({ name, isInstalled }) => {
  const proved = test.skipIf(!isInstalled)
  let till: PlaneUnderTest
  let front: ChildProcess | null = null
  let folder: string
  let reserved: ReservedPort

  beforeAll(async () => {
    if (!isInstalled) return
    till = await startPlane()
    folder = mkdtempSync(join(tmpdir(), 'till-front-'))
    reserved = await reservePort()
    front = spawn(name, fronts[name]!(folder, reserved.port, till.port), {
      env: { ...process.env, HOME: folder },
      stdio: 'ignore',
    })
    while (
      !(await open().then(
        (socket) => socket.destroy(),
        () => null,
      ))
    ) {
      if (front.exitCode !== null) throw new Error(`${name} does not take its example`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  afterAll(async () => {
    if (!isInstalled) return
    // Caddy waits for idle connections when it is asked to stop.
    front?.kill(name === 'caddy' ? 'SIGKILL' : 'SIGTERM')
    if (front?.exitCode === null) await once(front, 'exit')
    await till.close()
    reserved.release()
    rmSync(folder, { recursive: true, force: true })
  })

  async function open() {
    const socket = connect({
      host: '127.0.0.1',
      port: reserved.port,
      servername: 'localhost',
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    })
    await once(socket, 'secureConnect')
    return socket
  }
  /** Everything that comes, until it holds the text or the connection is closed. */
  async function answer(bytes: string, until = '\r\n\r\n'): Promise<string> {
    const socket = await open()
    let text = ''
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more
    })
    socket.on('error', () => {}).write(bytes)
    while (!text.includes(until) && !socket.closed) await Promise.race([once(socket, 'data'), once(socket, 'close')])
    socket.destroy()
    return text
  }
  const host = 'host: localhost'

  proved('the target reaches the provider as it came', async () => {
    const { auth } = await till.mint()
    for (const target of [
      '/v1/items/a%20b?x=%2F%2e&y=a+b',
      '/v1/items/%C3%A9',
      "/v1/items/(a)!'*,;".replace(';', ':'),
    ]) {
      expect(await answer(bytesOf(`GET /proxy/api${target}`, [host, auth]))).toMatch(/^HTTP\/1\.1 200/)
      expect(till.upstream.requests.at(-1)!.line).toBe(`GET ${target} HTTP/1.1`)
    }
  })

  proved('what the broker has to refuse reaches it, and is not collapsed into something else', async () => {
    const { auth, used } = await till.mint()
    for (const target of ['/v1/items//1', '/v1/x/../items/1', '/v1/items/%2e%2e', '/v1/items/a%2fb']) {
      const text = await answer(bytesOf(`GET /proxy/api${target}`, [host, auth]))
      expect([target, text.slice(0, 12)]).toEqual([target, 'HTTP/1.1 400'])
      expect(text.toLowerCase()).toContain('till-error: request_refused')
    }
    expect(await used()).toBe(0)
  })

  proved('each event of a stream arrives before the next one is sent', async () => {
    const { auth } = await till.mint()
    const held = Promise.withResolvers<Socket>()
    till.upstream.answers((_request, socket) => held.resolve(socket))
    const client = await open()
    let text = ''
    client.setEncoding('latin1').on('data', (more: string) => {
      text += more
    })
    client.write(bytesOf('POST /proxy/api/v1/responses', [host, auth], '{}'))
    const provider = await held.promise
    provider.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n')
    for (const event of ['data: one\n\n', 'data: two\n\n', 'data: three\n\n']) {
      provider.write(`${event.length.toString(16)}\r\n${event}\r\n`)
      while (!text.includes(event.trim())) await once(client, 'data')
    }
    client.destroy()
    till.upstream.answers((_request, socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'))
  })

  proved('a body reaches the provider while it is sent', async () => {
    const { auth } = await till.mint()
    const before = till.upstream.connections
    const client = await open()
    client.on('error', () => {})
    client.write(bytesOf('PUT /proxy/api/v1/files/a', [host, auth, 'content-length: 200000', 'connection: close']))
    client.write('x'.repeat(100_000))
    // A connection of its own is the provider's first sign that a request is on its way, with half of it still to come.
    while (till.upstream.connections === before) await new Promise((resolve) => setTimeout(resolve, 10))
    client.destroy()
  })

  proved('a request for a WebSocket is told why it gets none', async () => {
    const text = await answer(
      bytesOf('GET /proxy/api/v1/realtime', [
        host,
        'connection: upgrade',
        'upgrade: websocket',
        'sec-websocket-version: 13',
        'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
      ]),
      'upgrade_refused"',
    )
    expect(text).toMatch(/^HTTP\/1\.1 426/)
  })

  proved('a request whose provider breaks off is not sent again', async () => {
    const { auth, used } = await till.mint()
    till.upstream.answers((_request, socket) => socket.destroy())
    const before = till.upstream.requests.length
    expect(await answer(bytesOf('GET /proxy/api/v1/items/1', [host, auth]))).toMatch(/^HTTP\/1\.1 502/)
    expect([till.upstream.requests.length - before, await used()]).toEqual([1, 1])
  })
})
