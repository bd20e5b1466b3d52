import { expect, test } from 'vitest'
import { type RefusedFact, refusalCounter } from '#storage/refusal-counter.ts'

const refused = (chain: string, route = 'GET /a', code: RefusedFact['code'] = 'scope_denied') => ({
  chain,
  fact: { type: 'request.refused' as const, code, provider: 'openai', route, model: null, count: 1 },
  at: 0,
})
const shown = (list: readonly { chain: string; fact: RefusedFact }[]) =>
  list.map(({ chain, fact }) => `${chain} ${fact.code} ${fact.route} ${fact.count}`)

test('the first of its kind is written at once, further ones are counted', () => {
  const counter = refusalCounter<string>()
  expect(shown(counter.add([refused('a'), refused('a'), refused('b'), refused('a', 'GET /b')], 0))).toEqual([
    'a scope_denied GET /a 1',
    'b scope_denied GET /a 1',
    'a scope_denied GET /b 1',
  ])
  expect(counter.add([refused('a')], 999)).toEqual([])
  expect(counter.take({ monotonic: 999 })).toEqual([])
  expect(shown(counter.take({ monotonic: 1000 }))).toEqual(['a scope_denied GET /a 2'])
  expect(counter.isOpen).toBe(false)
})

test('another code is another kind, and so is another provider', () => {
  const counter = refusalCounter<string>()
  expect(counter.add([refused('a'), refused('a', 'GET /a', 'key_expired')], 0)).toHaveLength(2)
  const { fact, ...one } = refused('a')
  expect(counter.add([{ ...one, fact: { ...fact, provider: 'groq' } }], 0)).toHaveLength(1)
})

test('what is counted of one chain can be taken before its time', () => {
  const counter = refusalCounter<string>()
  counter.add([refused('a'), refused('a'), refused('b'), refused('b')], 0)
  expect(shown(counter.take({ chain: 'a' }))).toEqual(['a scope_denied GET /a 1'])
  expect(shown(counter.take('all'))).toEqual(['b scope_denied GET /a 1'])
})

test('beyond 16 kinds the rest of a grant is counted under one route', () => {
  const counter = refusalCounter<string>()
  const flood = Array.from({ length: 100 }, (_, i) => refused('a', `GET /${i}`))
  expect(counter.add(flood, 0)).toHaveLength(17)
  expect(shown(counter.take('all'))).toEqual(['a scope_denied * 83'])
})

test('… without a model, and those of before are still counted under their own', () => {
  const counter = refusalCounter<string>()
  const named = (route: string) => ({ ...refused('a'), fact: { ...refused('a', route).fact, model: route } })
  const now = counter.add([...Array.from({ length: 17 }, (_, i) => named(`GET /${i}`)), named('GET /0')], 0)
  expect(now.at(-1)?.fact).toMatchObject({ route: '*', model: null })
  expect(shown(counter.take('all'))).toEqual(['a scope_denied GET /0 1'])
})

test('what was taken and not written is counted again, with what came meanwhile', () => {
  const counter = refusalCounter<string>()
  counter.add([refused('a'), refused('a'), refused('a')], 0)
  const taken = counter.take('all')
  counter.add([refused('a'), refused('a')], 10)
  counter.putBack(taken)
  expect(shown(counter.take('all'))).toEqual(['a scope_denied GET /a 3'])
})

test('… and is due at once when nothing came', () => {
  const counter = refusalCounter<string>()
  counter.add([refused('a'), refused('a')], 0)
  counter.putBack(counter.take('all'))
  expect(shown(counter.take({ monotonic: 0 }))).toEqual(['a scope_denied GET /a 1'])
})
