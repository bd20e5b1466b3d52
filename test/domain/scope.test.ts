import { describe, expect, test } from 'vitest'
import { presets } from '#domain/presets.ts'
import { modelIsAllowed, place, type Scope, scopeText } from '#domain/scope.ts'
import { billing, routes } from './subjects.ts'

const openai = presets.get('openai')!
const scope: Scope = {
  routes: new Map([
    ['openai', routes('POST /v1/responses')],
    ['billing', routes('GET /invoices/*')],
  ]),
  models: ['gpt-5-mini', 'o4-*'],
}

describe('place()', () => {
  test('a route of the scope is charged', () => {
    expect(place(scope, openai, 'POST', '/v1/responses')).toMatchObject({ kind: 'charged' })
  })

  test('a free route of the provider is free, though the scope does not name it', () => {
    expect(place(scope, openai, 'GET', '/v1/models')).toMatchObject({ kind: 'free' })
  })

  test('a route that only the configuration names is outside: what was minted is what holds', () => {
    expect(place(scope, openai, 'POST', '/v1/embeddings')).toEqual({ kind: 'outside', what: 'route' })
  })

  test('a route of another provider of the scope is outside', () => {
    expect(place(scope, openai, 'GET', '/invoices/7')).toEqual({ kind: 'outside', what: 'route' })
    expect(place(scope, billing, 'GET', '/invoices/7')).toMatchObject({ kind: 'charged' })
  })

  test('a provider that is not in the scope is outside, its free routes too', () => {
    expect(place(scope, presets.get('groq'), 'GET', '/openai/v1/models')).toEqual({ kind: 'outside', what: 'provider' })
  })

  test('a provider that the configuration no longer has is outside', () => {
    expect(place(scope, undefined, 'POST', '/v1/responses')).toEqual({ kind: 'outside', what: 'provider' })
  })
})

describe('modelIsAllowed()', () => {
  test.each([
    ['gpt-5-mini', true],
    ['o4-mini', true],
    ['gpt-5', false],
    ['GPT-5-mini', false],
    ['gpt-5-mini ', false],
    ['', false],
    [`o4-${'x'.repeat(300)}`, false],
  ])('%j is %j', (model, expected) => {
    expect(modelIsAllowed(scope, model)).toBe(expected)
  })

  test('any is, where the scope names none; none is, where it names an empty list', () => {
    expect(modelIsAllowed({ ...scope, models: null }, 'anything')).toBe(true)
    expect(modelIsAllowed({ ...scope, models: [] }, 'anything')).toBe(false)
  })
})

test('scopeText() has each route once', () => {
  const twice = {
    routes: new Map([
      ['a', routes('POST /x', 'GET /y')],
      ['b', routes('POST /x')],
    ]),
    models: null,
  }
  expect(scopeText(twice)).toEqual({ routes: ['POST /x', 'GET /y'], models: null })
})
