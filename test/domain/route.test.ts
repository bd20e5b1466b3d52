import { describe, expect, test } from 'vitest'
import { formatRoute, parseRoute, routeCovers, routeMatches } from '#domain/route.ts'
import { routes } from './subjects.ts'

describe('parseRoute()', () => {
  test.each([
    'POST /v1/responses',
    'GET /invoices/*',
    'GET /files/**',
    'GET /',
    'DELETE /api/0/projects/',
    'POST /v1beta/models/*:generateContent',
  ])('reads %s', (text) => {
    expect(formatRoute(routes(text)[0]!)).toBe(text)
  })

  test.each([
    ['no path', 'POST'],
    ['no method', '/v1/responses'],
    ['three words', 'POST /v1 HTTP/1.1'],
    ['a method in small letters', 'post /v1/responses'],
    ['a method of its own', 'BREW /coffee'],
    ['CONNECT', 'CONNECT /x'],
    ['TRACE', 'TRACE /x'],
    ['any method', '* /v1'],
    ['a path without its slash', 'POST v1/responses'],
    ['a URL', 'POST https://api.openai.com/v1/responses'],
    ['a query', 'GET /v1/models?limit=1'],
    ['an empty segment', 'GET /v1//models'],
    ['a dot segment', 'GET /v1/./models'],
    ['a parent segment', 'GET /v1/../models'],
    ['an escape', 'GET /v1/%41'],
    ['** in the middle', 'GET /v1/**/models'],
    ['** within a segment', 'GET /v1/a**'],
    ['** before a slash', 'GET /v1/**/'],
    ['nothing', ''],
  ])('says what is wrong with %s', (_, text) => {
    expect(parseRoute(text)).toMatch(/\w/)
  })
})

describe('routeMatches()', () => {
  const [star, open, plain, slash] = routes('GET /invoices/*', 'GET /files/**', 'GET /v1/models', 'GET /v1/teams/')

  test.each([
    [plain!, 'GET', '/v1/models', true],
    [plain!, 'HEAD', '/v1/models', false],
    [plain!, 'POST', '/v1/models', false],
    [plain!, 'GET', '/v1/models/', false],
    [plain!, 'GET', '/V1/models', false],
    [slash!, 'GET', '/v1/teams/', true],
    [slash!, 'GET', '/v1/teams', false],
    [star!, 'GET', '/invoices/7', true],
    [star!, 'GET', '/invoices/', false],
    [star!, 'GET', '/invoices/7/lines', false],
    [open!, 'GET', '/files/a', true],
    [open!, 'GET', '/files/a/b', true],
    [open!, 'GET', '/files', false],
    [open!, 'GET', '/files/', false],
  ])('%j: %s %s is %s', (route, method, path, expected) => {
    expect(routeMatches(route, method, path)).toBe(expected)
  })
})

test('routeCovers() needs the same method', () => {
  const [get, head] = routes('GET /files/**', 'HEAD /files/a')
  expect(routeCovers(get!, head!)).toBe(false)
  expect(routeCovers(get!, { method: 'GET', path: '/files/a' })).toBe(true)
})
