import assert from 'node:assert/strict'
import { presets } from '#domain/presets.ts'
import { canonicalPath, parseProxyTarget } from '#domain/target.ts'
import { propertyFuzzer } from './fuzzer.ts'
import { near } from './mutate.ts'

const CORPUS = [
  '/proxy/openai/v1/responses',
  '/proxy/openai/v1/v1/chat/completions?stream=true&include[]=a&include[]=b',
  '/proxy/anthropic/v1/messages?beta=true',
  '/proxy/gemini/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse',
  '/proxy/billing/invoices/%C3%A9t%C3%A9/a%20b',
  '/proxy/openai',
]
const DICTIONARY = [
  '%2e',
  '%2E%2e',
  '%2f',
  '%5c',
  '%252e',
  '%c0%ae',
  '%e0%80%af',
  '%ed%a0%80',
  '.',
  './',
  '/../',
  '//',
  '@',
  '#',
  '?',
  '&key=',
  '&api%5Fkey=',
  '%26',
  ';a=b',
  'http://',
  '/v1',
  '＃',
  '\u212a',
]

/**
 * T14 and T15: what the grammar takes no other reader reads otherwise: WHATWG's URL parser changes nothing in it, it can
 * be decoded once, and nothing that separates, climbs or authenticates comes out of that.
 */
export const targetFuzzer = propertyFuzzer('target', 2000, near(CORPUS, DICTIONARY), (raw) => {
  const target = parseProxyTarget(raw)
  if (target.kind === 'refused') return
  const rest = raw.startsWith(`/proxy/${target.provider}/`) ? target.path : ''
  assert.equal(`/proxy/${target.provider}${rest}${target.query}`, raw)
  const provider = presets.get(target.provider) ?? { prefix: null }
  const path = canonicalPath(provider, target.path)
  assert.equal(canonicalPath(provider, path), path)
  const read = new URL(`https://provider.example${path}${target.query}`)
  assert.deepEqual([read.host, read.username, read.pathname, read.hash], ['provider.example', '', path, ''])
  for (const segment of decodeURIComponent(path).split('/')) {
    assert.doesNotMatch(segment, /^\.{1,2}$/)
    assert.doesNotMatch(segment, /[\u0000-\u001f\u007f\\;%]/)
  }
  assert.equal(decodeURIComponent(path).split('/').length, path.split('/').length)
  for (const name of read.searchParams.keys())
    assert.doesNotMatch(
      name.toLowerCase().replace(/[^a-z0-9]/g, ''),
      /^(?:apikey|key|accesstoken|token|authorization)$/,
    )
})
