import { getProxyUrl } from '@actions/http-client/lib/proxy'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ProxyUnusable, proxyFor } from '#client/proxy.ts'

const names = ['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()])
beforeEach(() => {
  for (const name of names) vi.stubEnv(name, undefined)
})
afterEach(() => vi.unstubAllEnvs())

/** `null`: directly. */
function chosen(url: string, env: Record<string, string>): string | null {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  return proxyFor(new URL(url))?.href ?? null
}
const theirs = (url: string) => getProxyUrl(new URL(url))?.href ?? null

const TILL = 'https://till.corp.example'
const P = 'http://proxy.example:3128/'

describe("the proxy is the one that GitHub's own client uses", () => {
  test.each<[string, Record<string, string>, string | null]>([
    [TILL, {}, null],
    [TILL, { HTTPS_PROXY: P }, P],
    [TILL, { https_proxy: P }, P],
    [TILL, { https_proxy: P, HTTPS_PROXY: 'http://other.example' }, P],
    [TILL, { https_proxy: '', HTTPS_PROXY: P }, P],
    [TILL, { HTTPS_PROXY: '' }, null],
    [TILL, { HTTP_PROXY: P }, null],
    [TILL, { ALL_PROXY: P }, null],
    ['http://till.corp.example', { HTTP_PROXY: P }, P],
    ['http://till.corp.example', { HTTPS_PROXY: P }, null],
    [TILL, { HTTPS_PROXY: 'https://proxy.example' }, 'https://proxy.example/'],
    [TILL, { HTTPS_PROXY: '127.0.0.1:3128' }, 'http://127.0.0.1:3128/'],
    [TILL, { HTTPS_PROXY: '[::1]:3128' }, 'http://[::1]:3128/'],
    ['https://localhost', { HTTPS_PROXY: P }, null],
    ['https://127.0.0.1:4100', { HTTPS_PROXY: P }, null],
    ['https://127.9.9.9', { HTTPS_PROXY: P }, null],
    ['https://[::1]:4100', { HTTPS_PROXY: P }, null],
    ['https://localhost.example', { HTTPS_PROXY: P }, P],
    ...(
      [
        ['till.corp.example', null],
        ['corp.example', null],
        ['.corp.example', null],
        ['example', null],
        ['.example', null],
        ['rp.example', P],
        ['TILL.corp.EXAMPLE', null],
        ['till.corp.example:443', null],
        ['corp.example:443', null],
        ['till.corp.example:8443', P],
        ['localhost, corp.example ,x', null],
        ['localhost corp.example', P],
        ['*', null],
        ['*.corp.example', P],
        ['till', P],
        ['x.till.corp.example', P],
        [',,', P],
        ['.', P],
        ['10.0.0.0/8', P],
      ] as const
    ).map(([NO_PROXY, expected]): [string, Record<string, string>, string | null] => [
      TILL,
      { HTTPS_PROXY: P, NO_PROXY },
      expected,
    ]),
    [TILL, { HTTPS_PROXY: P, no_proxy: 'x', NO_PROXY: '*' }, P],
    [TILL, { HTTPS_PROXY: P, no_proxy: '', NO_PROXY: '*' }, null],
    ['https://till.corp.example:8443', { HTTPS_PROXY: P, NO_PROXY: 'till.corp.example:8443' }, null],
    ['http://till.corp.example', { HTTP_PROXY: P, NO_PROXY: 'till.corp.example:80' }, null],
    ['https://10.1.2.3', { HTTPS_PROXY: P, NO_PROXY: '10.1.2.3' }, null],
    ['https://[fd00::1]', { HTTPS_PROXY: P, NO_PROXY: '[fd00::1]' }, null],
  ])('%s with %j: %s', (url, env, expected) => {
    expect(chosen(url, env)).toBe(expected)
    expect(theirs(url)).toBe(expected)
  })
})

test('a name with a port is a proxy too, which that client reads as a scheme', () => {
  expect(chosen(TILL, { HTTPS_PROXY: 'proxy.example:3128' })).toBe(P)
  expect(chosen(TILL, { HTTPS_PROXY: 'ci:Hunter2@proxy.example:3128' })).toBe('http://ci:Hunter2@proxy.example:3128/')
})

test.each([
  ['socks5://ci:Hunter2@proxy.example:1080', 'HTTPS_PROXY names a SOCKS proxy'],
  ['SOCKS5H://ci:Hunter2@proxy.example:1080', 'HTTPS_PROXY names a SOCKS proxy'],
  ['ftp://ci:Hunter2@proxy.example', 'HTTPS_PROXY is not the URL of a proxy'],
  ['http://ci:Hunter2/secret@proxy.example:3128', 'HTTPS_PROXY is not the URL of a proxy'],
  ['http://ci:Hunter2%zz@proxy.example:3128', 'HTTPS_PROXY is not the URL of a proxy'],
  ['http://ci:Hunter2@:3128', 'HTTPS_PROXY is not the URL of a proxy'],
  ['Hunter2 secret', 'HTTPS_PROXY is not the URL of a proxy'],
])('%s is refused, and not repeated', (HTTPS_PROXY, why) => {
  expect(() => chosen(TILL, { HTTPS_PROXY })).toThrow(ProxyUnusable)
  expect(() => chosen(TILL, { HTTPS_PROXY })).toThrow(why)
  expect(() => chosen(TILL, { HTTPS_PROXY })).not.toThrow('Hunter2')
})
